/** Starts in a sandbox by a runner with ASan and UBSan: what is read on the way has no fault that they see. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { bundleOf, mksquashfs, runArguments } from "../support/bundle-of.ts";
import { fencedWays, startAs } from "../support/fenced.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { run } from "../support/process.ts";
import { homeOf } from "../support/runner.ts";
import { buildSanitized } from "../support/sanitized.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let runtime: string;
let bundle: string;
beforeAll(async () => {
  if (missing("gcc") !== undefined || missing("mksquashfs") !== undefined) return;
  const dir = temporaryDirectory();
  ({ runtime } = await buildSanitized());
  // Where an ordinary user reaches it.
  const copy = path.join(dir, "fuselage");
  await run("cp", [runtime, copy]);
  runtime = copy;
  const tree = path.join(dir, "tree");
  mkdirSync(tree);
  writeFileSync(path.join(tree, "run"), runArguments, { mode: 0o755 });
  bundle = await bundleOf(
    await mksquashfs(tree),
    { name: "sanitized", sandbox: ["fs cwd ro", "net connect 443", "exec host"] },
    runtime,
  );
}, 600_000);

describe.each(fencedWays)("the sanitized runner, $title,", (way) => {
  const test = skipUnless(...way.needs, "gcc", "mksquashfs");

  /** A command of the shell by `words`, in a home with a file and this text as the user's policy. */
  async function start(words: readonly string[], policy?: Buffer | string) {
    const home = homeOf(way);
    writeFileSync(path.join(home, "mine"), "my own\n");
    chmodSync(path.join(home, "mine"), 0o644);
    if (policy !== undefined) {
      const dir = path.join(home, ".config/fuselage/sandbox.d");
      mkdirSync(dir, { recursive: true });
      writeFileSync(path.join(dir, "a.conf"), policy);
      await run("chown", ["-R", "--reference", home, path.join(home, ".config")]);
    }
    const script = "grep NoNewPrivs /proc/self/status; cat $HOME/mine 2>&1";
    const env = {
      XDG_CONFIG_HOME: undefined,
      FUSELAGE_MOUNT: "extract",
      // What a start has read it keeps until the app takes its place.
      ASAN_OPTIONS: "detect_leaks=0",
    };
    return startAs(way, [...words, "sh", "-c", script], home, { cwd: home, env });
  }

  test("starts a command by rules, with each kind of them", async () => {
    const rules =
      "fs:home:ro,fs:/usr:ro,net:connect:443,net:listen:0,net:udp,devices:gpu,exec:host,debug";
    const { status, stdout, stderr } = await start([runtime, `--sandbox=${rules}`]);
    expect({ status, stdout, stderr }).toEqual({
      ...{ status: 0, stderr: "" },
      stdout: "NoNewPrivs:\t1\nmy own\n",
    });
  });

  test("starts a bundle by its record, and takes the user's words", async () => {
    const fenced = await start([bundle]);
    expect(fenced).toMatchObject({ stderr: "", stdout: expect.stringContaining("Privs:\t1") });
    expect(fenced.stdout).not.toContain("my own");
    const free = await start([bundle], "name s[a-z]* = strict\n* = off # all");
    expect(free).toMatchObject({ stderr: "", stdout: "NoNewPrivs:\t0\nmy own\n" });
  });

  test("refuses rules and policies that nobody wrote, by an error of its own", async () => {
    const rules = [":::", "net:connect:65536", `fs:/${"x".repeat(5000)}:ro`, "deny:"];
    for (const one of rules) {
      const { status, stderr } = await start([runtime, `--sandbox=${one}`]);
      expect({ one, status, stderr }).toMatchObject({
        one,
        stderr: expect.stringMatching(/^\S*fuselage: \[E_SANDBOX_RULE\] [^\n]*\n/),
      });
    }
    const policies = {
      "too long": "#".repeat(20_000),
      "NUL bytes": Buffer.from("* = strict\0\n* = off\n"),
      "no newline, no words": "name app =",
      "more lines than there may be": "* = on\n".repeat(65),
      "a digest that is none": "sha256 0 = off\n",
    };
    for (const [what, policy] of Object.entries(policies)) {
      const { status, stderr } = await start([bundle], policy);
      expect({ what, status, stderr }).toMatchObject({
        what,
        stderr: expect.stringMatching(/\[E_SANDBOX_POLICY\]/),
      });
      expect(stderr).not.toMatch(/Sanitizer|runtime error/);
    }
  });
});
