/** Directories of starts on the host: of one that is killed, and while another start sweeps there. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { ordinaryUser, root, run } from "../support/process.ts";
import { aloneIn } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const check = skipUnless("root", "gcc", "strace");
const { uid, gid } = ordinaryUser();
let refuse: string;
let file: string;
beforeAll(async () => {
  refuse = path.join(temporaryDirectory(), "refuse-calls");
  execFileSync("cc", ["-o", refuse, path.join(root, "test/support/refuse-calls.c")]);
  file = await pack({ run: runArguments, data: "packed\n" });
});

/** A start that gets no namespace: its files are extracted, and its directory is the host's. */
const command = (...app: string[]) => [refuse, `${uid}`, `${gid}`, file, ...app];
const env = (home: string) => ({ ...process.env, ...aloneIn(home), FUSELAGE_MOUNT: "extract" });
function startsIn(home: string): string[] {
  const dir = path.join(home, ".fuselage/procdirs");
  return existsSync(dir) ? readdirSync(dir) : [];
}

/** Its first lock is that of its own directory, by the others it looks for what is nobody's any more. */
const traced = (trace: string, inject: string) => [
  ...["-qq", "-o", trace, "-e", "trace=flock", "-e", `inject=flock:${inject}`],
];

check("killed while it sweeps, it leaves nothing", async () => {
  const home = userDirectory();
  const trace = path.join(temporaryDirectory(), "trace");
  const args = [...traced(trace, "signal=KILL:when=2"), ...command("true")];
  expect(await run("strace", args, { env: env(home) })).toMatchObject({ signal: "SIGKILL" });
  expect(readFileSync(trace, "utf8").match(/^flock/gm)).toHaveLength(2);
  await expect.poll(() => startsIn(home)).toEqual([]);
});

check("one of another container does not take the directory of a start that begins", async () => {
  for (let seconds = 2; ; seconds *= 3) {
    const home = userDirectory();
    const trace = path.join(temporaryDirectory(), "trace");
    const held = traced(trace, `delay_enter=${seconds}000000:when=1`);
    const child = spawn("strace", [...held, ...command("cat", "/dev/null")], {
      env: env(home),
      stdio: ["ignore", "inherit", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk));
    const closed = once(child, "close");
    await expect.poll(() => startsIn(home)).toHaveLength(1);
    const [own] = startsIn(home);
    // It sees no process with the number that the directory has.
    const other = ["--pid", "--fork", "--mount-proc", ...command("true")];
    expect(await run("unshare", other, { env: env(home) })).toMatchObject({ status: 0 });
    const isHeld = !readFileSync(trace, "utf8").includes("DELAYED");
    expect([await closed, stderr]).toEqual([[0, null], ""]);
    await expect.poll(() => startsIn(home)).not.toContain(own);
    if (isHeld) return;
  }
});
