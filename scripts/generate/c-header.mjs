// runtime/generated/spec.h: what the runtime shares with the builder and the docs.

import { cString, define, enumeration, fieldRows, xMacro } from "./c-text.mjs";
import { causesC } from "./causes.mjs";
import { layoutOf } from "./layout.mjs";
import { defaultExit, notice } from "./spec.mjs";
import { strategiesC } from "./strategies.mjs";

/** @import {ErrorRow, Spec} from "./types.mts" */

/** @param {string} name @param {ErrorRow[]} rows */
const failureRows = (name, rows) =>
  xMacro(
    name,
    rows.map(({ code, exit, hint, runtimeHint }) => [
      code,
      exit?.runtime ?? defaultExit.runtime,
      cString(runtimeHint ?? hint),
    ]),
  );

/** @param {Spec} spec */
export function cHeader({ version, errors, causes, manifest, strategies }) {
  const runtimeErrors = errors.filter((error) => error.raisedBy.includes("runtime"));
  return `/* ${notice} */
#ifndef GENERATED_SPEC_H
#define GENERATED_SPEC_H

${define("FUSELAGE_VERSION", cString(version))}

/* The manifest: docs/format.md. Numbers are bytes unless they count records. */
${[
  define("FUSELAGE_MANIFEST_SECTION", cString(manifest.section)),
  define("FUSELAGE_MANIFEST_MAGIC", `${cString(manifest.magic)} /* 8 bytes, no NUL */`),
  define("FUSELAGE_MANIFEST_MAJOR", `${manifest.major}u`),
  define("FUSELAGE_MANIFEST_MINOR", `${manifest.minor}u`),
  define("FUSELAGE_MANIFEST_HEADER_SIZE", `${layoutOf(manifest.header).size}u`),
  define("FUSELAGE_MANIFEST_RECORD_HEADER_SIZE", `${layoutOf(manifest.recordHeader).size}u`),
  define("FUSELAGE_MANIFEST_RECORD_ALIGNMENT", `${manifest.recordAlignment}u`),
  define("FUSELAGE_MANIFEST_MAX_SIZE", `${manifest.maxBytes}u`),
  define("FUSELAGE_MANIFEST_MAX_RECORDS", `${manifest.maxRecords}u`),
  define("FUSELAGE_MANIFEST_MAX_KEPT", `${manifest.maxKept}u`),
  define("FUSELAGE_IMAGE_ALIGNMENT", `${manifest.imageAlignment}u`),
].join("\n")}

/* Where the fields are: bytes from the start of the manifest, and of a record. */
${enumeration("fuselage_manifest_field", [
  ...fieldRows("FUSELAGE_MANIFEST_AT", manifest.header),
  ...fieldRows("FUSELAGE_RECORD_AT", manifest.recordHeader),
])}

enum fuselage_manifest_tag {
${manifest.tags
  .map((tag) => `\tFUSELAGE_MANIFEST_${tag.name} = ${tag.value}, /* ${tag.summary} */`)
  .join("\n")}
};

enum fuselage_manifest_flag {
${manifest.recordFlags
  .map((flag) => `\tFUSELAGE_MANIFEST_${flag.name} = ${flag.value}, /* ${flag.summary} */`)
  .join("\n")}
};

/* Words of FUSELAGE_MANIFEST_OPTIONS. */
${manifest.optionWords
  .map((word) => define(`FUSELAGE_MANIFEST_WORD_${word.name}`, cString(word.value)))
  .join("\n")}

${strategiesC(strategies)}
/* Every failure of the runtime: X(code, exit status, hint). docs/errors.md has the prose. */
${failureRows(
  "FUSELAGE_ERRORS",
  runtimeErrors.filter(({ runner }) => !runner),
)}

/* Those that the program at the front of a bundle cannot have. */
${failureRows(
  "FUSELAGE_RUNNER_ERRORS",
  runtimeErrors.filter(({ runner }) => runner),
)}

/* FUSELAGE_E_SELF_OPEN and so on; FUSELAGE_OK is 0. */
enum fuselage_code {
	FUSELAGE_OK,
#define FUSELAGE_ENUM(code, status, hint) FUSELAGE_##code,
	FUSELAGE_ERRORS(FUSELAGE_ENUM)
	FUSELAGE_RUNNER_CODE, /* no failure; behind it are the runner's */
	FUSELAGE_RUNNER_ERRORS(FUSELAGE_ENUM)
#undef FUSELAGE_ENUM
	FUSELAGE_CODE_COUNT,
};

${causesC(causes)}
struct fuselage_failure {
	const char *code; /* "E_SELF_OPEN" */
	const char *hint; /* what to do next, one line, no newline */
	int status; /* exit status */
};

/* Indexed by enum fuselage_code, and by that less FUSELAGE_RUNNER_CODE; entry 0 is empty (base/fail.h). */
extern const struct fuselage_failure fuselage_failures[FUSELAGE_RUNNER_CODE];
extern const struct fuselage_failure
	fuselage_runner_failures[FUSELAGE_CODE_COUNT - FUSELAGE_RUNNER_CODE];

#endif
`;
}
