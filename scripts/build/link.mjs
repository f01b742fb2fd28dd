// From objects to a file in dist/: linked, tried, and only then in its place.

import { accessSync, constants } from "node:fs";
import { rename, rm } from "node:fs/promises";
import path from "node:path";
import { isHost } from "./machines.mjs";
import { root, run } from "./zig.mjs";

function emulator(/** @type {string} */ arch) {
  for (const dir of (process.env.PATH ?? "").split(path.delimiter)) {
    const file = path.join(dir, `qemu-${arch}-static`);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** A start takes milliseconds; what was linked wrongly may never end. */
const TEST_MS = 20_000;

/** @type {import("node:child_process").SpawnOptions} */
const limited = { timeout: TEST_MS, killSignal: "SIGKILL" };

/**
 * Starts a runtime, on its machine or where that is emulated.
 *
 * @param {string} arch
 * @param {string} file
 * @param {RegExp} expected what it has to say to --help
 */
export async function testRuntime(arch, file, expected) {
  const emulated = isHost(arch) ? undefined : emulator(arch);
  if (emulated === undefined && !isHost(arch)) return;
  const [program, ...args] = [...(emulated ? [emulated] : []), file, "--help"];
  const said = await run(program, args, limited).catch(messageOf);
  if (!expected.test(said)) throw new Error(`the runtime does not say ${expected}:\n${said}`);
}

/**
 * Loads the addon into a Node, on its machine.
 *
 * @param {string} arch
 * @param {string} file
 */
export async function testAddon(arch, file) {
  if (!isHost(arch)) return;
  const script = "console.log(Object.keys(require(process.argv[1])).join(' '))";
  const said = await run(process.execPath, ["-e", script, file], limited);
  if (said.trim() === "") throw new Error("the addon has no functions");
}

/** What a failure says. */
export const messageOf = (/** @type {unknown} */ error) =>
  error instanceof Error ? error.message : String(error);

/** A failure of what is linked, not of how: zig's own libraries would not help. */
export class OwnFault extends Error {}

/**
 * Links a file and puts it in its place when it passes a test.
 *
 * @param {string} file
 * @param {(made: string) => Promise<void>} test
 * @param {{byList: (made: string) => Promise<void>, byZig: (made: string) => Promise<unknown>}} links
 *   with the listed files of zig's libraries; with all of them, which zig takes minutes to compile
 */
export async function linkAndTest(file, test, { byList, byZig }) {
  // With its ending, by which Node loads it.
  const { dir, name, ext } = path.parse(file);
  const staging = path.join(dir, `${name}.${process.pid}${ext}`);
  try {
    try {
      await byList(staging);
      await test(staging);
    } catch (error) {
      if (error instanceof OwnFault || process.env.CI === "true") throw error;
      const what = path.relative(root, file);
      console.error(
        `build: ${what} cannot be linked with the listed libraries, so zig compiles all of its own, ` +
          `which takes minutes (scripts/build/renew.mjs makes the lists anew): ${messageOf(error)}`,
      );
      await byZig(staging);
      await test(staging);
    }
    await rename(staging, file);
  } finally {
    await rm(staging, { force: true });
  }
}
