// What a start of each default Node reads → templates/node/starts, by the digest of its program.
//
//   npm run starts [-- --sysroot DIR]
//
// A hello of one line is started with the program as it is packed, and recorded by `bundle profile`. A Node for
// the other machine is run by qemu-user, which maps the program as the kernel would: that takes
// qemu-aarch64-static and the libraries of that machine below DIR (default /usr/aarch64-linux-gnu; Debian's
// libstdc++6-arm64-cross and libgcc-s1-arm64-cross). Without them its file stays as it is.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { builtPackage } from "./build/dist.mjs";
import { setup } from "./setup.mjs";

const root = path.resolve(import.meta.dirname, "..");
const starts = path.join(root, "templates/node/starts");

/** The program in the image of a Node app. */
const PROGRAM = "node/bin/node";
/** Starts that are recorded of each: what the kernel places at random differs between them. */
const RUNS = 3;

/** @typedef {"x86_64" | "aarch64"} Machine */

/** The folder of a hello's image, with a program that starts it here. */
async function helloFolder(
  /** @type {string} */ work,
  /** @type {Machine} */ arch,
  /** @type {string} */ emulator,
) {
  const { build } = await builtPackage();
  const app = path.join(work, "hello");
  mkdirSync(app);
  writeFileSync(path.join(app, "package.json"), '{ "name": "hello", "main": "hello.js" }\n');
  writeFileSync(path.join(app, "hello.js"), 'console.log("Hello!");\n');
  const bundle = path.join(work, "hello.run");
  // Nothing is changed in a program that finds no libc beside it.
  const options = { input: app, output: bundle, arch, libc: /** @type {const} */ ("host") };
  const { summary } = await build({ ...options, startList: false });
  const folder = path.join(work, "image");
  execFileSync(process.execPath, [
    path.join(root, "dist/cli/main.js"),
    "extract",
    bundle,
    "-d",
    folder,
  ]);
  const command = `exec ${emulator} "$FUSELAGE_BUNDLE_DIR/${PROGRAM}"`;
  const program = '"$FUSELAGE_BUNDLE_DIR/app/hello.js"';
  writeFileSync(path.join(folder, "start"), `#!/bin/sh\n${command} ${program}\n`, { mode: 0o755 });
  const version = /Node [0-9.]+/.exec(summary)?.[0] ?? "a Node";
  return { folder, name: `${version} for ${arch}` };
}

/** Records a Node and writes its file. */
async function record(/** @type {Machine} */ arch, /** @type {string} */ emulator) {
  const { build, profile } = await builtPackage();
  const work = mkdtempSync(path.join(os.tmpdir(), "fuselage-starts-"));
  try {
    const { folder, name } = await helloFolder(work, arch, emulator);
    const bundle = path.join(work, "start.run");
    const output = path.join(work, "start.profile");
    const options = { kind: /** @type {const} */ ("plain"), entry: "start", startList: false };
    await build({ input: folder, output: bundle, compression: "none", ...options });
    await profile({ bundle, output, runs: RUNS, onReport: (line) => console.log(line) });
    const program = readFileSync(path.join(folder, PROGRAM));
    const digest = createHash("sha256").update(program).digest("hex");
    const rules = readFileSync(output, "utf8")
      .split("\n")
      .filter((line) => line.startsWith(`${PROGRAM} `));
    const file = path.join(starts, `${digest}.profile`);
    mkdirSync(starts, { recursive: true });
    writeFileSync(file, textOf(name, rules));
    console.log(`${path.relative(root, file)}: ${rules.length} rules`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const textOf = (/** @type {string} */ name, /** @type {string[]} */ rules) =>
  [
    `# What a start of ${name} reads of its program. scripts/starts.mjs makes it.`,
    "version 1",
    "",
    ...rules,
    "",
  ].join("\n");

const { values } = parseArgs({
  options: { sysroot: { type: "string", default: "/usr/aarch64-linux-gnu" } },
});
await setup({ other: true });
await record("x86_64", "");
if (existsSync(path.join(values.sysroot, "lib/libstdc++.so.6"))) {
  await record("aarch64", `qemu-aarch64-static -L '${values.sysroot}'`);
} else {
  console.log(`aarch64: no libstdc++.so.6 below ${values.sysroot}; its file stays as it is`);
}
