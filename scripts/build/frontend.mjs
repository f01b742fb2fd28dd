// How zig's clang is called: without the two programs in front of it.
//
// `zig cc` asks its cache, starts a driver, and that starts the compiler proper, for each file; and
// starting a program of 165 MB takes as long as compiling a small file. So the driver is asked once
// for each set of flags what it would do, and that is done, for one file or for many in one process.
// Nobody promises that this works with the next zig: where it does not, `zig cc` is called for each
// file, and the objects are the same.

import { createHash } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { job } from "./jobs.mjs";
import { root, zig } from "./zig.mjs";

/** @type {Record<string, string>} */
const languages = { ".c": "c", ".cc": "c++", ".cpp": "c++" };

/**
 * Files of one language to be compiled with the same flags.
 * @typedef {{driver: string, flags: string[], files: {source: string, object: string,
 *   size: number}[]}} Batch
 */

/**
 * Arguments of the compiler proper by the driver's.
 * @type {Map<string, Promise<string[] | undefined>>}
 */
const asked = new Map();

/**
 * @param {string} driver
 * @param {string} language
 * @param {string[]} flags
 * @returns {Promise<string[] | undefined>}
 */
async function ask(driver, language, flags) {
  const dir = path.join(root, "build/frontend");
  const name = createHash("sha256").update(flags.join("\n")).digest("hex").slice(0, 16);
  const probe = path.join(dir, `${name}.${language === "c" ? "c" : "cc"}`);
  await mkdir(dir, { recursive: true });
  await writeFile(probe, "");
  const said = await zig([driver, "-###", ...flags, "-c", probe, "-o", `${probe}.o`]);
  const line = said.split("\n").find((/** @type {string} */ text) => text.includes(' "-cc1" '));
  const words = [...(line ?? "").matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word]) =>
    word.replace(/\\(.)/g, "$1"),
  );
  const args = words.slice(1); // behind the program's own path
  // What is of the one file; and memory is given back, for many files are compiled in one process.
  /** @type {[string, number][]} */
  const ofOneFile = [
    ["-main-file-name", 2],
    ["-o", 2],
    ["-disable-free", 1],
  ];
  for (const [option, count] of ofOneFile) {
    const at = args.indexOf(option);
    if (at < 0 && count === 2) return undefined;
    if (at >= 0) args.splice(at, count);
  }
  return args[0] === "-cc1" && args.pop() === probe ? args : undefined;
}

/**
 * @param {string} driver `cc`, `c++` or `clang`, for flags as zig's own libraries have them
 * @param {string} language `c` or `c++`
 * @param {string[]} flags
 * @returns {Promise<string[] | undefined>} arguments behind `zig clang`, input and output left out
 */
export function frontend(driver, language, flags) {
  const key = [driver, language, ...flags].join("\n");
  const answer = asked.get(key) ?? ask(driver, language, flags).catch(() => undefined);
  asked.set(key, answer);
  return answer;
}

/**
 * Compiles one file; `headers` are precompiled ones.
 *
 * @param {{driver: string, source: string, flags: string[], object: string, depfile?: string,
 *   headers?: string}} given
 */
export async function compileFile({ driver, source, flags, object, depfile, headers }) {
  const language = languages[path.extname(source)];
  const args = language && (await frontend(driver, language, flags));
  if (args) {
    const deps = depfile ? ["-dependency-file", depfile, "-MT", object, "-sys-header-deps"] : [];
    const more = ["-main-file-name", path.basename(source), ...deps];
    if (headers) more.push("-include-pch", headers);
    const done = await zig(["clang", ...args, ...more, "-o", object, source]).then(
      () => true,
      () => false, // The driver says why, if there is an error in the source.
    );
    if (done) return;
  }
  const deps = depfile ? ["-MD", "-MF", depfile] : [];
  await zig([driver, ...flags, ...deps, "-c", source, "-o", object]);
}

/** As much source as one process is given; a small file costs as much as what it includes. */
const BATCH_BYTES = 600_000;
const FILE_BYTES = 20_000;

/** @param {Batch["files"]} files */
function batches(files) {
  /** @type {Batch["files"][]} */
  const made = [];
  let room = 0;
  for (const file of files) {
    if (room <= 0) {
      made.push([]);
      room = BATCH_BYTES;
    }
    made[made.length - 1].push(file);
    room -= file.size + FILE_BYTES;
  }
  return made;
}

/**
 * Compiles files of one language with the same flags, several in one process.
 *
 * @param {Batch} given
 */
export async function compileFiles({ driver, flags, files }) {
  if (files.length === 0) return;
  const extension = path.extname(files[0].source);
  const language = languages[extension];
  const args = language && (await frontend(driver, language, flags));
  const oneByOne = (/** @type {Batch["files"]} */ list) =>
    Promise.all(
      list.map(({ source, object }) => job(() => compileFile({ driver, source, flags, object }))),
    );
  if (!args) {
    await oneByOne(files);
    return;
  }
  await Promise.all(
    batches(files).map(async (batch) => {
      // The compiler names objects by their sources and puts them beside these. It is given files that
      // only include the source, so that names are unique and folders of packages stay as they are.
      const includes = batch.map(({ object }) => object.replace(/\.o$/, extension));
      const compiled = await job(
        async () => {
          for (const [index, { source }] of batch.entries()) {
            await writeFile(includes[index], `#include "${source}"\n`);
          }
          try {
            await zig(["clang", ...args, ...includes]);
          } catch {
            return false;
          }
          // What is for the linker to compile is named as such.
          for (const { object } of flags.includes("-flto") ? batch : []) {
            await rename(object.replace(/\.o$/, ".bc"), object);
          }
          return true;
        },
        { files: batch.length },
      );
      if (!compiled) await oneByOne(batch);
    }),
  );
}
