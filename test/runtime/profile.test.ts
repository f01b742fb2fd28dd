/** `bundle profile`: starts apps of each sort, and what it writes of them. */
import { spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { build } from "../../builder/api/build.ts";
import { profile, shownStart } from "../../builder/api/profile.ts";
import type { BuildOptions } from "../../builder/config/build-options.ts";
import { writeFiles } from "../support/case.ts";
import { noise } from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import {
  asUser,
  bundle,
  bundleCommand,
  fuselage,
  hasEnded,
  type RunOptions,
  run,
} from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const data = { large: noise(4 << 20, "l"), late: noise(300_000, "t"), small: noise(900, "s") };

/** A shell app with data beside it, as a bundle in a folder of its own. */
async function shellApp(script: string, options: Partial<BuildOptions> = {}) {
  const dir = temporaryDirectory();
  const input = path.join(dir, "app");
  const head = '#!/bin/sh\ncd "$FUSELAGE_BUNDLE_DIR/data" || exit 9\n';
  const files = Object.entries(data).map(([name, bytes]) => [`data/${name}`, bytes]);
  writeFiles(input, { "bin/app": `${head}${script}\n`, ...Object.fromEntries(files) });
  await build({ input, output: path.join(dir, "app.run"), compression: "none", ...options });
  return { dir, input, file: path.join(dir, "app.run") };
}

/** Rules of a profile without its head. */
const rules = (file: string) =>
  readFileSync(file, "latin1").split("version 1\n\n")[1]?.trimEnd().split("\n");

const page = (file: string, at: number) => `dd if=${file} bs=4096 skip=${at} count=1 2>/dev/null`;
const quiet = (command: string) => `${command} >/dev/null`;

/** `bundle profile app.run ARGS` in its folder. */
const record = (dir: string, args: readonly string[], options: RunOptions = {}) =>
  bundle(["profile", "app.run", ...args], { cwd: dir, ...options });

const recording = skipUnless("fuse");

recording(
  "a shell app: files in the order of use, small ones whole, ranges of large ones",
  async () => {
    const script = [page("large", 700), page("small", 0), page("large", 3), page("late", 40)].map(
      quiet,
    );
    const { dir, file, input } = await shellApp(script.join("\n"));
    const { status, stderr, stdout } = await record(dir, []);
    expect(stderr).toMatch(/^bundle: a start of \d+ ms, ended by itself with exit status 0\n/);
    expect(stderr).toMatch(/\nbundle: start.profile: [\d.]+ KiB of 4 files\n$/);
    expect([status, stdout]).toEqual([0, ""]);
    const expected = [
      "bin/app",
      "data/large 12K-16K 2800K-2804K",
      "data/small",
      "data/late 160K-164K",
    ];
    expect(rules(path.join(dir, "start.profile"))).toEqual(expected);
    // The next build takes it, and its list says the same.
    copyFileSync(path.join(dir, "start.profile"), path.join(input, "start.profile"));
    const again = await bundle(["build", "app", "-o", "next.run"], { cwd: dir });
    expect([again.status, again.stderr]).toEqual([0, ""]);
    const shown = await bundle(["profile", "next.run", "--show"], { cwd: dir });
    expect(shown.stdout).toBe(readFileSync(path.join(dir, "start.profile"), "utf8"));
    expect((await bundle(["inspect", "next.run"], { cwd: dir })).stdout).toMatch(
      /\nstart list +20\.0 KiB of 4 files\n/,
    );
    expect((await run(path.join(dir, "next.run"), ["--bundle-info"])).stdout).toMatch(
      /^start list: {2}20 KiB in 5 ranges$/m,
    );
    expect((await run(file, ["--bundle-info"])).stdout).not.toContain("start list");
    expect((await shownStart(file)).toString()).toMatch(/version 1\n\n$/);
  },
);

recording("arguments, input and output are the app's own", async () => {
  const { dir } = await shellApp(
    'read line; echo "$line" "$@"; echo error >&2; cat small >/dev/null',
  );
  const { stdout, stderr } = await record(dir, ["-o", "p", "--", "-o", "two words"], {
    input: "typed\n",
  });
  expect(stdout).toBe("typed -o two words\n");
  expect(stderr).toMatch(/^error\n/);
  expect(readdirSync(dir).sort()).toEqual(["app", "app.run", "p"]);
});

recording("says that it waits when the app rests and has not printed the text", async () => {
  const { file, dir } = await shellApp("echo other; read line; echo ready; read line");
  const args = [bundleCommand, "profile", file, "--until", "ready", "-o", "p"];
  const child = spawn(process.execPath, args, { cwd: dir, stdio: ["pipe", "ignore", "pipe"] });
  let said = "";
  for await (const part of child.stderr) {
    said += part;
    if (said.includes("still waiting")) child.stdin.write("go on\n");
  }
  expect(said).toMatch(
    /^bundle: the app has come to rest, and "ready" was not in its output yet; still waiting for it\n/,
  );
  expect(said).toMatch(/\nbundle: p: .* files?\n$/);
});

recording("what the app starts of other bundles is their own", async () => {
  const inner = await shellApp("cat late >/dev/null; echo inner");
  const { dir } = await shellApp(`${inner.file}; cat small >/dev/null`);
  const { status, stdout } = await record(dir, []);
  expect([status, stdout]).toEqual([0, "inner\n"]);
  expect(rules(path.join(dir, "start.profile"))).toEqual(["bin/app", "data/small"]);
});

recording("a compiled program: what it maps, and nothing that it does not", async () => {
  const dir = temporaryDirectory();
  const size = 8 << 20;
  mkdirSync(path.join(dir, "app/bin"), { recursive: true });
  const program = Buffer.concat([readFileSync(fuselage), noise(size, "tail")]);
  writeFileSync(path.join(dir, "app/bin/app"), program, { mode: 0o755 });
  await build({ input: path.join(dir, "app"), output: path.join(dir, "app.run") });
  const { stdout, status } = await record(dir, ["--", "--version"]);
  expect([status, stdout]).toEqual([0, expect.stringMatching(/^fuselage \d/)]);
  const [rule = "", ...more] = rules(path.join(dir, "start.profile")) ?? [];
  expect(more).toEqual([]);
  expect(rule).toMatch(/^bin\/app 0-\d+K/);
  const ends = [...rule.matchAll(/-(\d+)K/g)].map(([, end]) => Number(end) * 1024);
  expect(Math.max(...ends)).toBeLessThan(program.length - size + 65536);
});

recording("until a text is printed, on either stream, in pieces too", async () => {
  for (const print of ["echo ready", "echo ready >&2", "printf re; sleep 0.2; echo ady"]) {
    const { dir } = await shellApp(`cat small >/dev/null; ${print}; sleep 60; cat late >/dev/null`);
    const { status, stdout, stderr } = await record(dir, ["--until", "ready"]);
    expect([status, `${stdout}${stderr}`]).toEqual([0, expect.stringMatching(/ready\n/)]);
    expect(stderr).toMatch(/as long as it was to be watched/);
    expect(rules(path.join(dir, "start.profile"))).toEqual(["bin/app", "data/small"]);
  }
});

recording("until so many seconds have passed", async () => {
  const { dir } = await shellApp("cat small >/dev/null; sleep 60; cat late >/dev/null");
  const { status } = await record(dir, ["--until", "2.5"]);
  expect(status).toBe(0);
  expect(rules(path.join(dir, "start.profile"))).toEqual(["bin/app", "data/small"]);
});

recording("until it rests; what is read after a pause is none of the start", async () => {
  const { dir } = await shellApp("cat small >/dev/null; sleep 60; cat late >/dev/null");
  const { status, stderr } = await record(dir, []);
  expect([status, stderr]).toEqual([0, expect.stringMatching(/ended when it had come to rest/)]);
  expect(rules(path.join(dir, "start.profile"))).toEqual(["bin/app", "data/small"]);
});

recording("an app that does not listen is ended, with all that it has started", async () => {
  const { dir } = await shellApp(
    'trap "" TERM; (trap "" TERM; exec sleep 300.25) & cat small >/dev/null; echo up; wait; sleep 300.25',
  );
  const started = performance.now();
  const { status } = await record(dir, ["--until", "up"]);
  expect(status).toBe(0);
  expect(performance.now() - started).toBeGreaterThan(4000);
  expect(rules(path.join(dir, "start.profile"))).toEqual(["bin/app", "data/small"]);
});

recording("an app that leaves something running behind is over when it has ended", async () => {
  const { dir } = await shellApp("cat small >/dev/null; sleep 300.5 & exit 0");
  const { status, stderr } = await record(dir, []);
  expect([status, stderr]).toEqual([0, expect.stringMatching(/ended by itself/)]);
});

recording("an app that fails has started all the same, which is told", async () => {
  const { dir } = await shellApp("cat small >/dev/null; exit 3");
  const { status, stderr } = await record(dir, []);
  expect([status, stderr]).toEqual([0, expect.stringMatching(/with exit status 3\n/)]);
  expect(rules(path.join(dir, "start.profile"))).toEqual(["bin/app", "data/small"]);
});

recording("an app that crashes, or ends too early, leaves no profile", async () => {
  for (const [script, args, message] of [
    [
      "kill -SEGV $$",
      [],
      /\[E_PROFILE_RUN\] app.run: the app was ended by a signal: found SIGSEGV/,
    ],
    [
      "echo almost; exit 4",
      ["--until", "ready"],
      /\[E_PROFILE_RUN\] .*before its start was over: expected "ready" in its output, found exit status 4/,
    ],
  ] as const) {
    const { dir } = await shellApp(script);
    const { status, stderr } = await record(dir, args);
    expect([status, stderr]).toEqual([1, expect.stringMatching(message)]);
    expect(readdirSync(dir).sort()).toEqual(["app", "app.run"]);
  }
});

recording("several starts, and an earlier profile, are one", async () => {
  const { dir } = await shellApp('cat "$1" >/dev/null');
  await record(dir, ["--runs", "2", "-o", "one", "--", "small"]);
  expect(rules(path.join(dir, "one"))).toEqual(["bin/app", "data/small"]);
  writeFileSync(path.join(dir, "old"), "version 1\ngone\ndata/large 8K-16K 1G-2G\nalso/gone\n");
  const merging = ["--merge", "one", "--merge", "old", "-o", "one", "--", "late"];
  const { status, stderr } = await record(dir, merging);
  expect([status, stderr]).toEqual([
    0,
    expect.stringMatching(/^bundle: 2 paths of a profile are not in the bundle any more\n/),
  ]);
  expect(rules(path.join(dir, "one"))?.sort()).toEqual([
    "bin/app",
    "data/large 8K-16K",
    "data/late 0-240K",
    "data/late 240K-296K",
    "data/small",
  ]);
  writeFileSync(path.join(dir, "old"), "version 1\na b\n");
  const wrong = await record(dir, ["--merge", "old"]);
  expect([wrong.status, wrong.stderr]).toEqual([
    1,
    expect.stringMatching(/E_PROFILE_INVALID\] old:2/),
  ]);
});

skipUnless("fuse", "userns")("an ordinary user records too", async () => {
  const { dir, file } = await shellApp("cat small >/dev/null");
  const home = userDirectory();
  const args = [bundleCommand, "profile", file, "-o", path.join(home, "p")];
  const { status, stderr } = await asUser(process.execPath, args, home, { cwd: home });
  expect([status, stderr]).toEqual([0, expect.stringMatching(/2 files\n$/)]);
  expect(rules(path.join(home, "p"))).toEqual(["bin/app", "data/small"]);
  expect(dir).not.toBe(home);
});

recording("ended by a signal it leaves nothing, neither files nor the app", async () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const { dir, file } = await shellApp('echo "$$"; sleep 300.75; cat late');
    const tmp = path.join(dir, "tmp");
    mkdirSync(tmp, { mode: 0o700 });
    const args = [bundleCommand, "profile", file, "--until", "300"];
    const env = { ...process.env, TMPDIR: tmp };
    const child = spawn(process.execPath, args, {
      cwd: dir,
      env,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const pid = await new Promise<string>((resolve) =>
      child.stdout.once("data", (text) => resolve(`${text}`.trim())),
    );
    const ended = new Promise((resolve) => child.on("close", (_, by) => resolve(by)));
    child.kill(signal);
    expect(await ended).toBe(signal);
    expect(readdirSync(dir).sort()).toEqual(["app", "app.run", "tmp"]);
    // The app's own process may have another number outside; its bundle is in its command line.
    await expect.poll(() => hasEnded(pid)).toBe(true);
    expect(readdirSync(tmp)).toEqual([]);
  }
});

test("what is no bundle of ours is not started", async () => {
  const dir = temporaryDirectory();
  writeFileSync(path.join(dir, "app.run"), "#!/bin/sh\necho started\n", { mode: 0o755 });
  const text = await record(dir, []);
  expect([text.status, text.stdout]).toEqual([1, ""]);
  writeFiles(dir, { "app/bin/app": "#!/bin/sh\n" });
  await bundle(["pack", "app", "-o", "app.sfs"], { cwd: dir });
  await expect(
    profile({ bundle: path.join(dir, "app.sfs"), output: `${dir}/p` }),
  ).rejects.toMatchObject({
    code: "E_PROFILE_RECORDING",
    actual: "image",
  });
  await bundle(["build", "app", "-o", "app.run"], { cwd: dir });
  chmodSync(path.join(dir, "app.run"), 0o644);
  const locked = await record(dir, []);
  expect([locked.status, locked.stderr]).toEqual([
    1,
    expect.stringMatching(/\[E_PROFILE_RUN\] app.run: it cannot be started: permission denied/),
  ]);
  expect(readdirSync(dir).sort()).toEqual(["app", "app.run", "app.sfs"]);
});

test("a runtime that knows no recording leaves none, and neither does one that cannot", async () => {
  const { dir, file } = await shellApp("exit 0");
  const bytes = readFileSync(file);
  const name = Buffer.from("FUSELAGE_RECORD\0");
  const at = bytes.indexOf(name);
  expect(at).toBeGreaterThan(0);
  bytes.write("X", at);
  writeFileSync(file, bytes);
  const { status, stderr } = await record(dir, []);
  expect([status, stderr]).toEqual([
    1,
    expect.stringMatching(
      /\[E_PROFILE_RECORDING\] app.run: its runtime left no record of the start/,
    ),
  ]);
  expect(readdirSync(dir).sort()).toEqual(["app", "app.run"]);
});

skipUnless("fuse", "root")("a full disk leaves nothing", async () => {
  const { dir } = await shellApp("cat small >/dev/null");
  mkdirSync(path.join(dir, "small"));
  const script =
    'mount -t tmpfs -o size=4k none small; echo x >small/x; "$@"; s=$?; ls -A small; exit $s';
  const args = ["--mount", "sh", "-c", script, "sh", process.execPath, bundleCommand, "profile"];
  const full = await run("unshare", [...args, "app.run", "-o", "small/p"], { cwd: dir });
  expect([full.status, full.stdout]).toEqual([1, "x\n"]);
  expect(full.stderr).toMatch(/\[E_OUTPUT_NO_SPACE\]/);
});

test.each([
  [["--until", "0"], /\[E_OPTION_VALUE\] --until/],
  [["--until", "999999"], /\[E_OPTION_VALUE\] --until/],
  [["--until", ""], /\[E_OPTION_VALUE\] --until/],
  [["--runs", "0"], /\[E_OPTION_VALUE\] --runs.*from 1 to 100/],
  [["--runs", "many"], /\[E_OPTION_VALUE\] --runs/],
  [["--show", "--runs", "2"], /\[E_OPTION_CONFLICT\] --show runs nothing, and takes no --runs/],
  [["--show", "--", "a"], /\[E_OPTION_CONFLICT\] --show runs nothing, and takes no arguments/],
  [["-o", "-"], /\[E_OPTION_VALUE\]/],
  [["-o", "gone/p"], /\[E_OUTPUT_FAILED\] gone\/p/],
  [["second.run"], /\[E_ARGUMENT\]/],
])("profile %j is refused, and starts nothing", async (args, message) => {
  const { dir } = await shellApp("echo started");
  const { status, stdout, stderr } = await record(dir, args);
  expect(stderr).toMatch(message);
  expect([status, stdout]).toEqual([expect.any(Number), ""]);
  expect(status).not.toBe(0);
  expect(readdirSync(dir).sort()).toEqual(["app", "app.run"]);
});
