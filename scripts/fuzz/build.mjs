// Builds the libFuzzer targets of test/fuzz/targets: each linked with all of the runtime, with ASan
// and UBSan, by the clang that `npm run check` has too.
//
// Output: build/runtime/fuzz/<target>

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import path from "node:path";
import { machineName } from "../build/machines.mjs";
import { FLAVOURS, sourcesOf, units } from "../build/runtime.mjs";
import { decoders } from "../build/third-party.mjs";
import { compile, root, run } from "../build/toolchain.mjs";
import { CLANG } from "../check/analysis.mjs";

const dir = path.join(root, "build/runtime/fuzz");
const sanitizers = [
  "-O1",
  "-g",
  "-fno-omit-frame-pointer",
  "-fno-sanitize-recover=all",
  // liblzma calls functions of one type through pointers of another; none of ours are.
  "-fno-sanitize=function",
];

/** The runtime is made for musl; glibc's headers have enumerations where that has numbers. */
const unlike = ["-Wno-sign-conversion"];

/** Files of process 1 of a machine, which the runtime of bundles is without. */
const guest = [
  "channel",
  "digits",
  "directories",
  "machine",
  "run_file",
  "streams",
  "volumes",
  "wait",
].map((name) => `runtime/guest/${name}.c`);

/**
 * Functions that a target has in place of the real ones, files of the runtime that it includes
 * itself, and those that it has besides.
 * @type {Record<string, {wrap?: string[], includes?: string[], besides?: string[]}>}
 */
const special = {
  fuse: { wrap: ["read", "writev"], includes: ["runtime/fuse/readahead.c"] },
  start_list: { includes: ["runtime/cache/starts.c"] },
  options: { wrap: ["extract_bundle"] },
  relay: {
    wrap: ["ioctl", "kill", "syscall"],
    includes: ["runtime/guest/relay.c"],
    besides: guest,
  },
  run_file: { besides: guest },
};

/** Why the targets cannot be built here, or undefined. */
export function missing() {
  try {
    const library = `libclang_rt.fuzzer-${machineName()}.a`;
    const found = execFileSync(CLANG, [`-print-file-name=${library}`], { encoding: "utf8" }).trim();
    return existsSync(found) ? undefined : "libclang-rt-19-dev is not installed";
  } catch {
    return `${CLANG} is not installed`;
  }
}

/** @returns {Promise<Record<string, string>>} the programs by the names of the targets */
export async function buildTargets(/** @type {string[]} */ names) {
  const flags = ["-fsanitize=address,undefined,fuzzer-no-link", ...sanitizers];
  const absolute = (/** @type {string} */ name) => path.join(root, name);
  const runtime = (await sourcesOf(FLAVOURS.fuselage)).filter(
    (file) => file !== absolute("runtime/main.c"),
  );
  const shared = ["targets/input", "walk", "fields"].map((name) => absolute(`test/fuzz/${name}.c`));
  const targets = names.map((name) => absolute(`test/fuzz/targets/${name}.c`));
  const besides = guest.map(absolute);
  const ours = [...targets, ...shared, ...runtime, ...besides];
  const { objects } = await compile({
    units: await units(await decoders(), ours, flags, () => unlike),
    outDir: path.join(dir, "objects"),
    compiler: CLANG,
  });
  const link = async (/** @type {string} */ name, /** @type {number} */ index) => {
    const { wrap = [], includes = [], besides: more = [] } = special[name] ?? {};
    const without = [
      ...includes.map(absolute),
      ...besides.filter((file) => !more.map(absolute).includes(file)),
    ].map((file) => objects[ours.indexOf(file)]);
    const rest = objects.slice(targets.length).filter((object) => !without.includes(object));
    const file = path.join(dir, name);
    await run(CLANG, [
      "-fsanitize=address,undefined,fuzzer",
      ...sanitizers,
      ...wrap.map((name) => `-Wl,--wrap=${name}`),
      objects[index],
      ...rest,
      "-o",
      `${file}.${process.pid}`,
    ]);
    await rename(`${file}.${process.pid}`, file);
    return [name, file];
  };
  return Object.fromEntries(await Promise.all(names.map(link)));
}
