// The headers of C++ and Node that our own files include, read once for all of them: half of the time
// that a file of the addon takes.

import { readFileSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { frontend } from "./frontend.mjs";
import { job } from "./jobs.mjs";
import { isFresh } from "./toolchain.mjs";
import { zig } from "./zig.mjs";

/** `<vector>` and `<napi.h>`; a header of C costs nothing. */
const WORTHWHILE = /^#include (<(?:[a-z_]+|napi[.]h)>)$/gm;

/**
 * @param {{sources: string[], flags: string[], outDir: string}} given files that include headers, and
 *   flags that these will be compiled with
 * @returns {Promise<string | undefined>} what `compile` takes as `headers`
 */
export async function precompile({ sources, flags, outDir }) {
  const args = await frontend("c++", "c++", flags);
  if (!args?.includes("-emit-obj")) return undefined;
  const language = args.lastIndexOf("-x");
  if (language < 0) return undefined;
  const included = sources.flatMap((file) => [...readFileSync(file, "utf8").matchAll(WORTHWHILE)]);
  const names = [...new Set(included.map(([, name]) => name))].sort();
  const text = names.map((name) => `#include ${name}\n`).join("");
  const header = path.join(outDir, "precompiled.h");
  await mkdir(outDir, { recursive: true });
  if (text !== (await readFile(header, "utf8").catch(() => ""))) await writeFile(header, text);
  const file = `${header}.pch`;
  const fingerprint = flags.join("\n");
  if (await isFresh(file, `${file}.d`, `${file}.flags`, fingerprint)) return file;
  const emit = args.map((arg) => (arg === "-emit-obj" ? "-emit-pch" : arg));
  emit[language + 1] = "c++-header";
  const staging = `${file}.${process.pid}`;
  const deps = ["-dependency-file", `${file}.d`, "-MT", file, "-sys-header-deps"];
  const made = await job(() => zig(["clang", ...emit, ...deps, "-o", staging, header]), {
    first: true,
  }).then(
    () => true,
    () => false,
  );
  if (!made) return undefined;
  await rename(staging, file);
  await writeFile(`${file}.flags`, fingerprint);
  return file;
}
