// Static analysis of the C and C++: clang's analyzer on all of it, gcc's on the C (it knows no C++).
//
// Both follow paths through one file at a time; analysis.h tells them what the functions of other
// files return, and analysis/napi.h stands for the headers of Node's interface. A finding is mended, or
// stands below with the reason why it is none. What was found in a file is kept in build/analysis, with
// digests of all that the analyzer read for it.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { messageOf } from "../build/link.mjs";
import { nativeFlags } from "../build/native.mjs";
import { runtimeFlags } from "../build/runtime.mjs";
import { codecs, decoders } from "../build/third-party.mjs";
import { namedByDepfile, root, run } from "../build/toolchain.mjs";

/** Of one version, because each version finds something else. Debian 12 and 13 have this one. */
export const CLANG = "clang-19";

/**
 * Kinds of findings that are none wherever they are.
 * @type {{tool: string, finding: RegExp, why: string,
 *   holds?: (source: string, match: RegExpMatchArray) => boolean}[]}
 */
const kinds = [
  {
    tool: CLANG,
    finding: /leak of memory pointed to by '(\w+)' \[unix\.Malloc\]$/,
    why: "clang does not know __attribute__((cleanup)); gcc does, and looks for leaks as well",
    holds: (source, [, name]) => new RegExp(`\\bOWNED\\b[^;]*\\b${name}\\b`).test(source),
  },
  {
    tool: CLANG,
    finding: /should be (>= 0|a valid file descriptor or AT_FDCWD) \[unix\.StdCLibraryFunctions\]$/,
    why: "the kernel refuses -1 with EBADF, which is handled as any failure of these calls",
  },
  {
    tool: CLANG,
    finding: /\[(security\.insecureAPI\.vfork|unix\.Vfork)\]$/,
    why: "between a start and its server is a process that does nothing but fork and _exit",
  },
];

/**
 * Findings that are none at one place.
 * @type {{tool: string, file: string, finding: RegExp, why: string}[]}
 */
const places = [
  {
    tool: CLANG,
    file: "runtime/libc/base64.c",
    finding: /^Right shift by '\d+' overflows/,
    why: "padding needs two held characters of four before it, so there are at most two",
  },
  {
    tool: "gcc",
    file: "runtime/libc/allocate.c",
    finding: /leak of '(malloc\(size\)|moved)'|use after 'free' of 'freed'/,
    why: "these are malloc and free themselves: a piece is what is behind its head, and is linked when it is freed",
  },
  {
    tool: "gcc",
    file: "runtime/squashfs/block_cache.c",
    finding: /leak of '<unknown>'/,
    why: "the memory is a block's of the cache, which frees it",
  },
  {
    tool: "gcc",
    file: "runtime/squashfs/data.c",
    finding: /leak of '<unknown>'/,
    why: "the memory is a map's of the reader, which frees it",
  },
  {
    tool: "gcc",
    file: "runtime/squashfs/data.c",
    finding: /use of uninitialized value '(\*stretch\.(word|position)|data)'/,
    why: "locate takes one size word at least: its block lies behind the place that it starts from",
  },
  {
    tool: CLANG,
    file: "runtime/squashfs/data.c",
    finding: /^The left operand of '==' is a garbage value/,
    why: "the same: a size word that was not taken",
  },
];

/**
 * A tool's arguments for a file.
 * @typedef {{tool: string, file: string, args: string[]}} Job
 */

/** @returns {Promise<Job[]>} */
async function jobs() {
  const files = (/** @type {string} */ dir, /** @type {string} */ extension) =>
    readdirSync(path.join(root, dir), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(extension))
      .map((name) => path.join(dir, name))
      .sort();
  // Warnings are the compiler's to give; of it only errors count here.
  const c = (await runtimeFlags(await decoders())).filter((flag) => flag !== "-Werror");
  const cxx = nativeFlags(await codecs()).filter((flag) => flag !== "-Werror");
  const withoutBodies = ["-isystem", path.join(root, "scripts/check/analysis")];
  const clang = ["--analyze", "-Xclang", "-analyzer-output=text", "-Wno-everything"];
  const known = (/** @type {string} */ file) => {
    const folder = path.basename(path.dirname(file));
    const name = path.parse(file).name;
    const tell = path.join(root, "scripts/check/analysis.h");
    return [folder, name, `${folder}_${name}`]
      .map((what) => `-DANALYSING_${what}`)
      .concat("-include", tell);
  };
  return [
    ...files("runtime", ".c").flatMap((file) => [
      { tool: CLANG, file, args: [...clang, ...c, ...known(file)] },
      {
        tool: "gcc",
        file,
        args: ["-fanalyzer", "-fdiagnostics-path-format=none", "-S", ...c, ...known(file)],
      },
    ]),
    ...files("native", ".cc").map((file) => ({
      tool: CLANG,
      file,
      args: [...clang, ...withoutBodies, ...cxx],
    })),
  ];
}

const cache = path.join(root, "build/analysis");
const plain = { env: { ...process.env, LC_ALL: "C" }, maxBuffer: 1 << 28 };

const sha256 = (/** @type {string | Buffer} */ bytes) =>
  createHash("sha256").update(bytes).digest("hex");

/** Digests of files, each read once: all have most of their headers in common. @type {Map<string, string>} */
const digests = new Map();

/** @param {string} name a path from the root @returns its digest; none of a file that is gone */
function digestOf(name) {
  const file = path.resolve(root, name);
  const known = digests.get(file) ?? (existsSync(file) ? sha256(readFileSync(file)) : "");
  digests.set(file, known);
  return known;
}

/**
 * What was found, when all that was read for it is as it was.
 *
 * @param {string} kept
 * @returns {string[] | undefined}
 */
function keptFindings(kept) {
  if (!existsSync(kept)) return undefined;
  const { read, findings } = JSON.parse(readFileSync(kept, "utf8"));
  const same = Object.entries(read).every(([name, digest]) => digestOf(name) === digest);
  return same ? findings : undefined;
}

const ERROR = /: (?:fatal )?error: /;

/**
 * @param {Job} job
 * @param {string} version
 * @param {Set<string>} used names of files in the cache
 * @returns {Promise<string[]>} lines such as "12:3: warning: leak of 'x' [-Wanalyzer-malloc-leak]"
 */
async function analyse({ tool, file, args }, version, used) {
  const key = sha256(JSON.stringify([version, file, args]));
  const kept = path.join(cache, key);
  used.add(key);
  const before = keptFindings(kept);
  if (before) return before;
  const depfile = `${kept}.d`;
  const all = [...args, "-MD", "-MF", depfile, file, "-o", "/dev/null"];
  let isWhole = true;
  const output = await run(tool, all, plain).catch((failure) => {
    // With errors the command fails, and they are in what it printed.
    isWhole = false;
    if (ERROR.test(messageOf(failure))) return messageOf(failure);
    throw failure;
  });
  const found = output
    .split("\n")
    .filter((line) => ERROR.test(line) || /: warning: .*\[(-Wanalyzer|[a-z])/.test(line))
    .map((line) => line.replace(/^\S*?:(?=\d)/, ""));
  const findings = [...new Set(found)];
  // After an error it is not known what else would have been read.
  if (isWhole) {
    const names = namedByDepfile(readFileSync(depfile, "utf8"));
    const read = Object.fromEntries(names.map((name) => [name, digestOf(name)]));
    writeFileSync(kept, JSON.stringify({ read, findings }));
  }
  rmSync(depfile, { force: true });
  return findings;
}

/** @param {Job} job @param {string} finding @param {Set<(typeof places)[number]>} needed */
function isAccepted({ tool, file }, finding, needed) {
  const words = finding.replace(/^.*?: warning: /, "");
  const place = places.find((p) => p.tool === tool && p.file === file && p.finding.test(words));
  if (place) needed.add(place);
  return (
    place !== undefined ||
    kinds.some((kind) => {
      const match = kind.tool === tool ? words.match(kind.finding) : null;
      return match && (kind.holds?.(readFileSync(path.join(root, file), "utf8"), match) ?? true);
    })
  );
}

/** Why the tools cannot run here, or undefined. */
function missing() {
  for (const tool of [CLANG, "gcc"]) {
    try {
      execFileSync(tool, ["--version"], { stdio: "ignore" });
    } catch {
      return `${tool} is not installed (Debian: apt install clang-19 gcc)`;
    }
  }
  return undefined;
}

/** @returns {Promise<{problems: string[], note?: string}>} */
export async function analysisProblems() {
  const reason = missing();
  if (reason) return process.env.CI ? { problems: [reason] } : { problems: [], note: reason };
  mkdirSync(cache, { recursive: true });
  const versions = Object.fromEntries(
    [CLANG, "gcc"].map((tool) => [tool, execFileSync(tool, ["--version"], plain).toString()]),
  );
  const waiting = await jobs();
  /** @type {string[]} */
  const problems = [];
  const used = new Set();
  const needed = new Set();
  const worker = async () => {
    for (let job = waiting.shift(); job; job = waiting.shift()) {
      for (const finding of await analyse(job, versions[job.tool], used)) {
        if (!isAccepted(job, finding, needed))
          problems.push(`${job.file}:${finding} (${job.tool})`);
      }
    }
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
  for (const key of readdirSync(cache)) if (!used.has(key)) rmSync(path.join(cache, key));
  const gone = places.filter((place) => !needed.has(place)).map((p) => `${p.file}: ${p.finding}`);
  const note = gone.length > 0 ? `no more to be accepted: ${gone.join(", ")}` : undefined;
  return { problems: problems.sort(), note };
}
