// Feeds a part of the runtime with bytes that nobody wrote, built with ASan and UBSan.
//
//   npm run fuzz -- [TARGET] [--minutes N] [--jobs N] [--seed N]
//   npm run fuzz -- TARGET --runs N [--seed N]
//   npm run fuzz -- TARGET --input FILE
//
// TARGET is `reader` (default): changed images for the squashfs reader and the extraction, all
// changes made by test/fuzz/reader.c; or one of test/fuzz/targets, by libFuzzer, which keeps what
// reaches new code. That stays in build/fuzz/TARGET/corpus for the next time, and what fails in
// build/fuzz/TARGET/found; --input runs the target on such a file alone. Without --minutes it goes
// on for 10. --runs is for the tests: so many inputs from the seeds alone, and 3 seconds at most.

import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { root } from "./build/toolchain.mjs";
import { buildTargets, missing } from "./fuzz/build.mjs";
import { fuzzReader } from "./fuzz/changes.mjs";
import { makeSeeds } from "./fuzz/seeds.mjs";

/**
 * Bytes of an input at most, and what else libFuzzer is told.
 * @type {Record<string, {most: number, more?: string[]}>}
 */
const targets = {
  elf: { most: 65_536 },
  manifest: { most: 65_536 },
  squashfs: { most: 65_536 },
  zip: { most: 65_536 },
  base64: { most: 65_536 },
  fuse: { most: 16_384 },
  holder: { most: 1024 },
  start_list: { most: 65_552 },
  policy: { most: 4096 },
  rules: { most: 4096 },
  run_file: { most: 4096 },
  relay: { most: 3072 },
  // What the options print is not for us.
  options: { most: 4096, more: ["-close_fd_mask=3"] },
};

const names = Object.keys(targets);

/** @returns {never} */
function usage(/** @type {string} */ text) {
  console.error(`fuzz: ${text}; targets: reader, ${names.join(", ")}`);
  process.exit(2);
}

function parse() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      minutes: { type: "string", default: "10" },
      jobs: { type: "string", default: `${os.availableParallelism()}` },
      seed: { type: "string", default: `${Date.now() % 1_000_000}` },
      input: { type: "string" },
      runs: { type: "string" },
    },
  });
  const [target = "reader", ...rest] = positionals;
  const minutes = Number(values.minutes);
  const jobs = Number(values.jobs);
  const seed = Number(values.seed);
  if (rest.length > 0 || (target !== "reader" && !names.includes(target))) {
    usage(`there is no target ${positionals.join(" ")}`);
  }
  if (!(minutes > 0) || !Number.isSafeInteger(seed) || !Number.isSafeInteger(jobs) || jobs < 1) {
    usage("--minutes and --jobs take a number above 0, --seed a whole number");
  }
  const { input, runs } = values;
  if ((input ?? runs) !== undefined && target === "reader")
    usage("--input and --runs need a target");
  if (runs !== undefined && !/^[1-9]\d*$/.test(runs)) usage("--runs takes a number above 0");
  return { target, minutes, jobs, seed, input, runs };
}

/**
 * Runs a target of libFuzzer.
 *
 * @param {string} program
 * @param {string} target
 * @param {string[]} args
 * @returns {Promise<boolean>} whether nothing was found
 */
async function fuzzTarget(program, target, args) {
  const dir = path.join(root, "build/fuzz", target);
  const env = {
    ...process.env,
    FUZZ_IMAGES: path.join(root, "build/fuzz/seeds/images"),
    // Of binutils; clang's own symbolizer is one package more.
    ASAN_OPTIONS: "external_symbolizer_path=/usr/bin/addr2line",
    UBSAN_OPTIONS: "print_stacktrace=1:external_symbolizer_path=/usr/bin/addr2line",
  };
  const { most, more = [] } = targets[target];
  mkdirSync(path.join(dir, "found"), { recursive: true });
  const options = [
    `-max_len=${most}`,
    `-artifact_prefix=${path.join(dir, "found")}/`,
    "-timeout=20",
    "-rss_limit_mb=2048",
    ...more,
  ];
  // In a folder of its own, because options of an AppImage make folders beside it.
  const child = spawn(program, [...options, ...args], { cwd: dir, env, stdio: "inherit" });
  return new Promise((resolve) => child.on("close", (code) => resolve(code === 0)));
}

/** @param {ReturnType<typeof parse>} asked @returns {Promise<boolean>} */
async function fuzz({ target, minutes, jobs, seed, input, runs }) {
  if (target === "reader") return fuzzReader({ minutes, jobs, seed });
  const reason = missing();
  if (reason) usage(reason);
  const { [target]: program } = await buildTargets([target]);
  await makeSeeds(path.join(root, "build/fuzz/seeds"));
  if (input) return fuzzTarget(program, target, [path.resolve(input)]);
  const corpus = path.join(root, "build/fuzz", target, runs ? "throwaway" : "corpus");
  if (runs) rmSync(corpus, { recursive: true, force: true });
  mkdirSync(corpus, { recursive: true });
  return fuzzTarget(program, target, [
    `-seed=${seed}`,
    ...(runs
      ? [`-runs=${runs}`, "-max_total_time=3"]
      : [`-max_total_time=${Math.ceil(minutes * 60)}`]),
    ...(jobs > 1 && !runs ? [`-fork=${jobs}`] : []),
    corpus,
    path.join(root, "build/fuzz/seeds", target),
  ]);
}

process.exitCode = (await fuzz(parse())) ? 0 : 1;
