import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { bytesOfFile, firstOf } from "../../../builder/host/file-or-pipe.ts";
import { bundleCommand, run } from "../../support/process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const most = 1 << 20;
const read = async (file: string) => (await firstOf(bytesOfFile(file), most)).toString();
const fifoIn = (dir: string) => {
  const fifo = path.join(dir, "fifo");
  execFileSync("mkfifo", [fifo]);
  return fifo;
};

test("a file is read to its end, a device as far as is wanted, a folder is none", async () => {
  const dir = temporaryDirectory();
  writeFileSync(path.join(dir, "file"), "text");
  expect(await read(path.join(dir, "file"))).toBe("text");
  expect((await firstOf(bytesOfFile("/dev/zero"), 3_000_000)).length).toBe(3_000_000);
  expect(await read("/dev/null")).toBe("");
  await expect(read(dir)).rejects.toMatchObject({ code: "EISDIR" });
});

test("a fifo is read from its first writer to the end of the last, however slow", async () => {
  const fifo = fifoIn(temporaryDirectory());
  const script = 'sleep 1; exec 3>"$0"; sleep 1; echo one >&3; sleep 1; seq 1 20000 >&3';
  const writer = spawn("sh", ["-c", script, fifo], { stdio: "ignore" });
  const all = (await firstOf(bytesOfFile(fifo), most)).toString();
  expect(all.split("\n")).toEqual([
    "one",
    ...Array.from({ length: 20_000 }, (_, i) => `${i + 1}`),
    "",
  ]);
  writer.kill();
});

test("a fifo that nobody writes to is an error, in words", async () => {
  const fifo = fifoIn(temporaryDirectory());
  await expect(read(fifo)).rejects.toThrow("no program has begun to write to this fifo");
});

/** Options that name a text, with a fifo that nobody writes to and by a pipe of the shell's. */
const texts: [string, string, string][] = [
  ["--exclude-from", "echo '*.map'", "build app -o out.run --exclude-from"],
  ["--profile", "cat start.profile", "build app -o out.run --profile"],
  ["--from-dump", "cat dump", "pack -o out.sfs --objects app --from-dump"],
];

test.each(texts)(
  "%s takes a pipe of the shell's, and no fifo for ever",
  async (_, text, options) => {
    const cwd = temporaryDirectory();
    mkdirSync(path.join(cwd, "app"));
    mkdirSync(path.join(cwd, "tree/folder"), { recursive: true });
    writeFileSync(path.join(cwd, "app/run"), "#!/bin/sh\necho run\n", { mode: 0o755 });
    writeFileSync(path.join(cwd, "app/a.map"), "");
    const bash = (script: string) =>
      run("bash", ["-c", script, process.execPath, bundleCommand], { cwd });
    const dump = await bash(
      '"$0" "$@" dump tree > dump; printf "%s\\n" "version 1" "run" > start.profile',
    );
    expect(dump.status).toBe(0);
    const piped = await bash(`"$0" "$@" ${options} <(sleep 1; ${text})`);
    expect(piped).toMatchObject({ status: 0 });
    const fifo = fifoIn(cwd);
    const waiting = await bash(`"$0" "$@" ${options} ${fifo}`);
    expect(waiting.stderr).toContain("E_FILE_UNREADABLE");
    expect(waiting.stderr).toContain("no program has begun to write to this fifo in 10 seconds");
  },
);
