// runtime/generated/spec.c: the tables that spec.h declares.

import { notice } from "./spec.mjs";

export function cSource() {
  return `/* ${notice} */
#include "generated/spec.h"

const struct fuselage_failure fuselage_failures[FUSELAGE_CODE_COUNT] = {
#define FUSELAGE_ENTRY(name, exit_status, text) \\
	[FUSELAGE_##name] = {.code = #name, .hint = text, .status = exit_status},
	FUSELAGE_ERRORS(FUSELAGE_ENTRY)
#undef FUSELAGE_ENTRY
};
`;
}
