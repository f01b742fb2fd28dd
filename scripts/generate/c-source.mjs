// runtime/generated/spec.c: the tables that spec.h declares.

import { notice } from "./spec.mjs";

export function cSource() {
  return `/* ${notice} */
#include "generated/spec.h"

#define FUSELAGE_ENTRY(name, exit_status, text) \\
	[FUSELAGE_##name - FIRST] = {.code = #name, .hint = text, .status = exit_status},

#define FIRST 0
const struct fuselage_failure fuselage_failures[FUSELAGE_RUNNER_CODE] = {
	FUSELAGE_ERRORS(FUSELAGE_ENTRY)
};
#undef FIRST

#define FIRST FUSELAGE_RUNNER_CODE
const struct fuselage_failure
	fuselage_runner_failures[FUSELAGE_CODE_COUNT - FUSELAGE_RUNNER_CODE] = {
	FUSELAGE_RUNNER_ERRORS(FUSELAGE_ENTRY)
};
`;
}
