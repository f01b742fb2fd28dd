/** What the system refuses in the middle of the work: a code, the path, and nothing left behind. */
import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { writeFiles } from "../support/case.ts";
import { skipUnless } from "../support/needs.ts";
import { bundle, bundleCommand, root, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const { EDQUOT, EIO, ENOSPC, EROFS, ESTALE } = os.constants.errno;
const check = skipUnless("gcc");
let preload: string;
let dir: string;
beforeAll(async () => {
  preload = path.join(temporaryDirectory(), "failing-io.so");
  const source = path.join(root, "test/support/failing-io.c");
  execFileSync("cc", ["-shared", "-fPIC", "-o", preload, source, "-ldl"]);
  dir = temporaryDirectory();
  writeFiles(dir, {
    "app/main.sh": "#!/bin/sh\necho 1\n",
    "app/data": "0123456789".repeat(300_000),
    "app/.bundleignore": "*.x\n",
  });
  chmodSync(path.join(dir, "app/main.sh"), 0o755);
  for (const [command, output] of [
    ["build", "ok.run"],
    ["pack", "ok.sfs"],
  ]) {
    const made = await bundle([`${command}`, "app", "-o", `${output}`], { cwd: dir });
    expect(made).toMatchObject({ status: 0 });
  }
});

async function failure(call: string, at: string, errno: number, args: readonly string[]) {
  const out = temporaryDirectory();
  const env = {
    // What an earlier build has recorded of an unchanged file would not be read.
    XDG_CACHE_HOME: temporaryDirectory(),
    LD_PRELOAD: preload,
    FAIL_CALL: call,
    FAIL_PATH: at.replace("OUT", out),
    FAIL_ERRNO: `${errno}`,
  };
  const named = args.map((arg) => arg.replace("OUT", out));
  const { status, stderr } = await bundle(named, { cwd: dir, env });
  const [, code, file] = /^bundle: \[(E_\w+)\] (\S+): /m.exec(stderr) ?? [];
  return { status, code, file: file && path.basename(file), left: readdirSync(out), stderr };
}

const build = ["build", "app", "-o", "OUT/a.run"];
const assemble = [
  ...["assemble", "--archive", "ok.sfs", "--output", "OUT/a.run"],
  ...["--", "--static=a:/proc/self/exe", "--run", "main.sh"],
];
const pack = ["pack", "app", "-o", "OUT/a.sfs"];

describe("a read that fails", () => {
  const reads: [string, string, string, readonly string[]][] = [
    ["what starts", "app/main.sh", "main.sh", build],
    ["what is packed", "app/data", "data", build],
    ["what is packed", "app/data", "data", pack],
    ["rules of what is left out", ".bundleignore", ".bundleignore", build],
    ["the runtime", "dist/runtime/", "front", build],
    ...["ok.run", "ok.sfs"].flatMap((file): [string, string, string, readonly string[]][] => [
      ["inspect", file, file, ["inspect", file]],
      ["verify", file, file, ["verify", file]],
      ["dump", file, file, ["dump", file]],
      ["diff", file, file, ["diff", file, file]],
      ["extract", file, file, ["extract", file, "-d", "OUT/x"]],
    ]),
    ["what is appended", "ok.sfs", "ok.sfs", assemble],
  ];
  for (const [title, at, file, args] of reads) {
    for (const [name, errno] of Object.entries({ EIO, ESTALE })) {
      check(`${title}, of ${at}, ${args[0]}: ${name}`, async () => {
        expect(await failure("read", at, errno, args)).toMatchObject({
          status: 1,
          code: "E_FILE_UNREADABLE",
          file,
          left: [],
        });
      });
    }
  }
});

describe("a write that fails", () => {
  for (const args of [build, pack]) {
    const file = path.basename(`${args.at(-1)}`);
    for (const [call, errno, code] of [
      ["write", ENOSPC, "E_OUTPUT_NO_SPACE"],
      ["write", EDQUOT, "E_OUTPUT_NO_SPACE"],
      ["write", EIO, "E_OUTPUT_FAILED"],
      ["sync", EIO, "E_OUTPUT_FAILED"],
      ["rename", EROFS, "E_OUTPUT_PERMISSION"],
    ] as const) {
      check(`${args[0]}, ${call}: ${errno}`, async () => {
        const outcome = await failure(call, "OUT", errno, args);
        expect(outcome).toMatchObject({ status: 1, code, file, left: [] });
      });
    }
    check(`${args[0]}, sync of the folder, when the file has its name`, async () => {
      const { stderr, ...outcome } = await failure("sync", "OUT$", EIO, args);
      expect(outcome).toEqual({ status: 1, code: "E_OUTPUT_FAILED", file, left: [file] });
      expect(stderr).toMatch(/\n {2}The file is there and whole; /);
    });
  }

  check("what is printed, when the work is done", async () => {
    const out = temporaryDirectory();
    const line = `"$0" "$1" build app -o "$2/a.run" --json >/dev/full`;
    const words = ["-c", line, process.execPath, bundleCommand, out];
    const { status, stderr } = await run("sh", words, { cwd: dir });
    expect([status, readdirSync(out)]).toEqual([1, ["a.run"]]);
    expect(stderr).toMatch(/^bundle: \[E_OUTPUT_NO_SPACE\] standard output: write failed: /);
    expect(stderr).toContain("What the command did is done; what it printed is not whole.");
    expect(stderr).not.toContain("left behind");
  });
});
