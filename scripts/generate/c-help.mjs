// runtime/generated/help.h: what --help and the like print, deflated. Text takes room that code could have.

import { deflateRawSync } from "node:zlib";
import { define, enumeration, header } from "./c-text.mjs";
import { appimageHelp, runHelp, runnerHelp, runtimeHelp } from "./help.mjs";

/** @import {Spec} from "./types.mts" */

/** Bytes of one line of the array. */
const LINE = 16;

function deflated(/** @type {string} */ name, /** @type {string} */ text) {
  const packed = [...deflateRawSync(text, { level: 9 })];
  const lines = [];
  for (let at = 0; at < packed.length; at += LINE) {
    lines.push(`\t${packed.slice(at, at + LINE).join(", ")}, \\`);
  }
  return `#define ${name} { \\\n${lines.join("\n")}\n}`;
}

export function cHelp(/** @type {Spec} */ { options }) {
  const texts = [
    { name: "HELP_BUNDLE", text: runtimeHelp(options), comment: "--bundle-help, behind its usage" },
    { name: "HELP_APPIMAGE", text: appimageHelp(options), comment: "--appimage-help, behind that" },
    { name: "HELP_RUNNER", text: runnerHelp(options), comment: "fuselage --help" },
  ];
  let whole = "";
  /** @type {import("./c-text.mjs").Constant[]} */
  const rows = [];
  for (const { name, text, comment } of texts) {
    rows.push([name, Buffer.byteLength(whole), comment]);
    whole += `${text}\0`;
  }
  const run = runHelp(options);
  return header("help", [
    `/* Where each text begins; it ends with a newline and a NUL. */\n${enumeration("help", rows)}`,
    define("HELP_BYTES", `${Buffer.byteLength(whole)} /* of all of them */`),
    `/* All of them, deflated. */\n${deflated("HELP_DEFLATED", whole)}`,
    define("HELP_RUN_BYTES", `${Buffer.byteLength(run) + 1} /* --bundle-run --help */`),
    `/* That, of the runner alone. */\n${deflated("HELP_RUN_DEFLATED", `${run}\0`)}`,
  ]);
}
