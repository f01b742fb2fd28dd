// Makes what TypeScript, C and the docs share from the descriptions in scripts/spec/. Each target has a
// file in scripts/generate/.
//
//   node scripts/generate.mjs            writes builder/generated/, native/generated/,
//                                        runtime/generated/ and the marked tables in docs/
//   node scripts/generate.mjs --check    writes nothing; fails when a committed table is stale
//
// Files are replaced only when their content changes, so that nothing is recompiled in vain.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { cHeader } from "./generate/c-header.mjs";
import { cHelp } from "./generate/c-help.mjs";
import { cNames } from "./generate/c-names.mjs";
import { cPermissions } from "./generate/c-permissions.mjs";
import { cRunnerOptions, cRunOptions } from "./generate/c-runner-options.mjs";
import { cSandboxFilter } from "./generate/c-sandbox.mjs";
import { cSections } from "./generate/c-sections.mjs";
import { cSource } from "./generate/c-source.mjs";
import { cSquashfs } from "./generate/c-squashfs.mjs";
import { cppAddon } from "./generate/cpp-addon.mjs";
import { pages } from "./generate/docs.mjs";
import { cGuest } from "./generate/guest.mjs";
import { openapiTypes } from "./generate/openapi.mjs";
import { cOwnLoader } from "./generate/own-loader.mjs";
import { readSpec, root } from "./generate/spec.mjs";
import { typescript } from "./generate/typescript.mjs";

/** @import {Spec} from "./generate/types.mts" */

/** What should stand in each file: ignored sources, and docs that are committed. */
function outputs(/** @type {Spec} */ spec) {
  const fuseApi = "builder/generated/fuse-api.ts";
  const ignored = [
    ["builder/generated/spec.ts", typescript(spec)],
    [fuseApi, openapiTypes("scripts/spec/fuse/openapi.yaml", current(fuseApi))],
    ["native/generated/addon.h", cppAddon(spec)],
    ["runtime/generated/spec.h", cHeader(spec)],
    ["runtime/generated/spec.c", cSource()],
    ["runtime/generated/guest.h", cGuest(spec)],
    ["runtime/generated/help.h", cHelp(spec)],
    ["runtime/generated/names.h", cNames(spec)],
    ["runtime/generated/own_loader.h", cOwnLoader(spec)],
    ["runtime/generated/runner_options.h", cRunnerOptions(spec)],
    ["runtime/generated/run_options.h", cRunOptions(spec)],
    ["runtime/generated/sandbox_filter.h", cSandboxFilter(spec)],
    ["runtime/generated/permissions.h", cPermissions(spec)],
    ["runtime/generated/sections.h", cSections(spec)],
    ["runtime/generated/squashfs.h", cSquashfs(spec)],
  ];
  return [
    ...ignored.map(([file, text]) => ({ file, text, committed: false })),
    ...pages(spec).map(([file, text]) => ({ file, text, committed: true })),
  ];
}

const current = (/** @type {string} */ file) =>
  existsSync(path.join(root, file)) ? readFileSync(path.join(root, file), "utf8") : undefined;

/** Writes what is stale. @returns {string[]} the files that changed */
export function generate() {
  const changed = outputs(readSpec()).filter(({ file, text }) => current(file) !== text);
  for (const { file, text } of changed) {
    const target = path.join(root, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(`${target}.${process.pid}`, text);
    renameSync(`${target}.${process.pid}`, target);
  }
  return changed.map(({ file }) => file);
}

/** @returns {string[]} the committed files whose generated part is stale */
export function staleFiles() {
  return outputs(readSpec())
    .filter(({ file, text, committed }) => committed && current(file) !== text)
    .map(({ file }) => file);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (process.argv.includes("--check")) {
    const stale = staleFiles();
    for (const file of stale) console.error(`${file} is stale; run: node scripts/generate.mjs`);
    process.exitCode = stale.length > 0 ? 1 : 0;
  } else {
    for (const file of generate()) console.log(`generated ${file}`);
  }
}
