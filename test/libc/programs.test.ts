/** Programs that a packed libc starts only if something is done, or that no libc here starts. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { startByOwnLoader } from "../../builder/elf/own-loader.ts";
import { debianFiles } from "../../scripts/debian.mjs";
import { missing, skipUnless } from "../support/needs.ts";
import { bundle, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let dir = "";

beforeAll(() => {
  dir = temporaryDirectory();
});

/** A folder with this machine's shell as its program, after a change of the copy. */
async function appOf(name: string, change: (file: string) => unknown) {
  const input = path.join(dir, name);
  mkdirSync(path.join(input, "bin"), { recursive: true });
  const file = path.join(input, "bin/shell");
  copyFileSync("/bin/bash", file);
  await change(file);
  const output = `${input}.run`;
  const build = (...args: string[]) => bundle(["build", input, "-o", output, ...args]);
  const start = (env: Record<string, string> = {}) =>
    run(output, ["-c", 'echo "$0: $1"', "shell", "runs"], { env });
  return { build, start, file };
}

const runs = { status: 0, stdout: "shell: runs\n", stderr: "" };

describe("a program that UPX compressed", () => {
  const needs = ["debian"] as const;
  /** @returns what it printed */
  const upx = async (...args: string[]) => {
    const files = debianFiles("bullseye", ["libucl1", "upx-ucl"]);
    const env = { LD_LIBRARY_PATH: path.join(files, "usr/lib/x86_64-linux-gnu") };
    const command = path.join(files, "usr/bin/upx-ucl");
    const outcome = await run(command, ["-q", ...args], { env });
    expect(outcome).toMatchObject({ status: 0 });
    return outcome.stdout;
  };

  beforeAll(() => {
    if (missing("debian") === undefined) debianFiles("bullseye", ["libucl1", "upx-ucl"]);
  });

  skipUnless(...needs)("is left to the target's libc, and that is said", async () => {
    const { build, start, file } = await appOf("compressed", (at) => upx("-1", at));
    expect(readFileSync(file).length).toBeLessThan(readFileSync("/bin/bash").length);
    const { status, stderr } = await build("--with-libs");
    expect(status).toBe(0);
    expect(stderr).toMatch(/bin\/shell .*compressed by UPX; `upx -d` undoes that \[W_LIBC_UPX\]/);
    expect(await start()).toMatchObject(runs);
  });

  skipUnless(...needs)("is refused when a libc is to be packed, until it is unpacked", async () => {
    const { build, start, file } = await appOf("asked", (at) => upx("-1", at));
    const refused = await build("--libc", "pack");
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/\[E_LIBC_PROGRAM\] bin\/shell: .*`upx -d`/);
    await upx("-d", file);
    expect(await build("--libc", "pack")).toMatchObject({ status: 0 });
    expect(await start()).toMatchObject(runs);
  });

  skipUnless(...needs)("starts when it had a libc of its own before", async () => {
    const { file } = await appOf("before", async (at) => {
      const bytes = await startByOwnLoader(
        readFileSync(at),
        {
          ...{ libc: "glibc", root: 1, loader: "lib/ld.so", libraries: ["lib"], mode: "auto" },
          versions: ["GLIBC_2.17"],
        },
        at,
      );
      writeFileSync(at, bytes);
      await upx("-1", at);
    });
    const { stdout } = await run(file, ["-c", "echo $0 $1", "shell:", "runs"]);
    expect(stdout).toBe(runs.stdout);
  });
});

describe("a program whose dynamic linker is not on this machine", () => {
  const rename = (file: string) => {
    const bytes = readFileSync(file);
    const at = bytes.indexOf("/lib64/ld-linux-x86-64.so.2\0");
    expect(at).toBeGreaterThan(0);
    bytes.write("/nix64", at);
    writeFileSync(file, bytes);
  };
  const linker = "/nix64/ld-linux-x86-64.so.2";

  skipUnless("gcc")("is started by a packed libc", async () => {
    const { build, start } = await appOf("renamed", rename);
    for (const args of [["--with-libs"], ["--libc", "pack"]]) {
      expect(await build(...args)).toMatchObject({ status: 0 });
      expect(await start()).toMatchObject(runs);
    }
    const { status, stderr } = await start({ FUSELAGE_LIBC: "host" });
    expect(status).toBe(127);
    expect(stderr).toMatch(`[E_LOADER_MISSING] the host has no ${linker}\n`);
  });

  skipUnless("gcc")("is said at build and at the start to be so, without one", async () => {
    const { build, start } = await appOf("left", rename);
    const { stderr } = await build("--libc", "host");
    expect(stderr).toMatch(new RegExp(`${linker},.* \\[W_LINKER\\]`));
    const started = await start();
    expect(started.status).toBe(127);
    expect(started.stderr).toMatch(
      new RegExp(`\\[E_ENTRY_INTERPRETER\\] .*bin/shell: .*: ${linker}\n`),
    );
  });
});
