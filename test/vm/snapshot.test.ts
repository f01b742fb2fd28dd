/** `bundle vm snapshot` and `bundle vm run --from`. */
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect } from "vitest";
import { build } from "../../builder/api/build.ts";
import { HEADER_BYTES } from "../../builder/vm/host/snapshot-file.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { asUser, bundleCommand, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";
import { busyboxBundle, EMULATED, PATIENCE, vm } from "../support/vm.ts";

const testVm = skipUnless("vm", "busybox");

/** Answers each line with its number, the clock and random bytes; ends with the input. */
const SERVER =
  'n=0; echo ready; while read x; do n=$((n+1)); echo "$n $x $(date +%s) $(head -c 16 /dev/urandom | od -An -tx1 | tr -d " ")"; done; exit 9';

let app: string;
let snapshot: string;
let made: Awaited<ReturnType<typeof vm>>;

beforeAll(async () => {
  if (missing("vm") !== undefined || missing("busybox") !== undefined) return;
  app = await busyboxBundle();
  snapshot = path.join(path.dirname(app), "app.snapshot");
  const args = ["snapshot", app, ...EMULATED, "--until", "ready", "-o", snapshot];
  made = await vm([...args, "--json", "--", "sh", "-c", SERVER]);
});

const restore = (args: readonly string[] = [], file = snapshot) =>
  vm(["run", ...args, "--from", file, "--json"], { input: "one\ntwo\n" });

testVm("a snapshot is its owner's alone, and says how long its start and its pause took", () => {
  expect([made.status, made.stdout]).toEqual([0, "ready\n"]);
  expect(statSync(snapshot).mode & 0o777).toBe(0o600);
  const { output, bytes, bootMilliseconds, pauseMilliseconds } = JSON.parse(made.stderr);
  expect([output, bytes]).toEqual([snapshot, statSync(snapshot).size]);
  expect(bootMilliseconds).toBeGreaterThan(0);
  expect(pauseMilliseconds).toBeGreaterThan(0);
});

testVm("two restores go on with the right clock, and share no random bytes", async () => {
  const before = Math.floor(Date.now() / 1000);
  const both = await Promise.all([restore(), restore()]);
  const after = Math.ceil(Date.now() / 1000);
  const random = both.flatMap(({ status, stdout, stderr }) => {
    expect(status).toBe(9);
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" "));
    expect(lines.map(([number, word]) => [number, word])).toEqual([
      ["1", "one"],
      ["2", "two"],
    ]);
    for (const [, , clock] of lines) {
      expect(Number(clock)).toBeGreaterThanOrEqual(before);
      expect(Number(clock)).toBeLessThanOrEqual(after);
    }
    const { times, bootMilliseconds } = JSON.parse(stderr);
    expect(times.up).toBeGreaterThan(0);
    expect(bootMilliseconds).toBe(JSON.parse(made.stderr).bootMilliseconds);
    return lines.map(([, , , bytes]) => bytes);
  });
  expect(new Set(random).size).toBe(4);
});

testVm("another bundle, a file that is cut, one that is no snapshot, another network", async () => {
  const other = path.join(path.dirname(app), "other.run");
  copyFileSync(app, other);
  appendFileSync(other, Buffer.alloc(512));
  const cut = path.join(path.dirname(app), "cut.snapshot");
  copyFileSync(snapshot, cut);
  truncateSync(cut, statSync(cut).size - 1);
  const refused = await Promise.all([
    restore([other]),
    restore([], cut),
    restore([], app),
    restore(["--network", "user"]),
  ]);
  const words = ["another bundle's SHA-256", "it is not whole", "no snapshot", "another network"];
  for (const [index, { status, stderr }] of refused.entries()) {
    expect([status, stderr]).toEqual([125, expect.stringContaining("[E_VM_SNAPSHOT]")]);
    expect(stderr).toContain(words[index]);
  }
});

testVm(
  "what is booted is what was looked at, whatever has the name of the bundle by then",
  async () => {
    const dir = temporaryDirectory();
    const bin = path.join(dir, "bin");
    mkdirSync(bin);
    const [bundle, other, file] = ["app.run", "other.run", "app.snapshot"].map((name) =>
      path.join(dir, name),
    ) as [string, string, string];
    const qemu = (await run("sh", ["-c", "command -v qemu-system-x86_64"])).stdout.trim();
    // Another bundle gets the name while QEMU is started; it has no busybox.
    const swap = `test "$1" = --version || cp -f --remove-destination "${other}" "${bundle}"`;
    const wrapper = `#!/bin/sh\n${swap}\nexec "${qemu}" "$@"\n`;
    writeFileSync(path.join(bin, path.basename(qemu)), wrapper, { mode: 0o755 });
    writeFileSync(other, "no bundle".repeat(10_000));
    const options = { env: { PATH: `${bin}:${process.env["PATH"]}` } };
    const put = () => copyFileSync(app, bundle);
    put();
    const digest = createHash("sha256").update(readFileSync(bundle)).digest("hex");
    const words = [bundle, ...EMULATED, "--until", "ready", "-o", file, "--", "sh", "-c", SERVER];
    expect(await vm(["snapshot", ...words], options)).toMatchObject({
      status: 0,
      stdout: "ready\n",
    });
    const [, text = ""] = readFileSync(file).subarray(0, HEADER_BYTES).toString("utf8").split("\n");
    expect(JSON.parse(text)).toMatchObject({ digest, bundle });
    put();
    const restored = await vm(["run", "--from", file], { ...options, input: "one\n" });
    expect([restored.status, restored.stdout.split(" ").slice(0, 2)]).toEqual([9, ["1", "one"]]);
    put();
    const booted = await vm(["run", bundle, ...EMULATED, "--", "echo", "up"], options);
    expect(booted).toMatchObject({ status: 0, stdout: "up\n" });
    expect(readFileSync(bundle, "latin1")).toMatch(/^no bundle/);
  },
);

/** The snapshot with another header; the state is shared. */
function withHeader(name: string, change: (header: Record<string, unknown>) => unknown): string {
  const file = path.join(path.dirname(app), `${name}.snapshot`);
  const bytes = readFileSync(snapshot);
  const [magic = "", text = ""] = bytes.subarray(0, HEADER_BYTES).toString("utf8").split("\n");
  bytes.fill(0, 0, HEADER_BYTES);
  bytes.write(`${magic}\n${JSON.stringify(change(JSON.parse(text)))}\n`);
  writeFileSync(file, bytes);
  return file;
}

testVm("a machine of another build, another processor, what is no header", async () => {
  const entropy = "-device virtio-rng-pci,rng=entropy";
  const files = {
    older: withHeader("older", (header) => ({
      ...header,
      hardware: (header["hardware"] as string[]).filter((one) => one !== entropy),
    })),
    newer: withHeader("newer", (header) => ({
      ...header,
      hardware: [...(header["hardware"] as string[]), "-device virtio-balloon-pci"],
    })),
    unsaid: withHeader("unsaid", ({ hardware: _, ...header }) => header),
    none: withHeader("none", () => null),
    hostile: withHeader("hostile", (header) => ({ ...header, accelerator: "tcg,tb-size=9" })),
    count: withHeader("count", (header) => ({ ...header, cpus: "1,sockets=9" })),
    kvm: withHeader("kvm", (header) => ({ ...header, processor: "other, flags 0" })),
  };
  const words: Record<keyof typeof files, RegExp> = {
    older: /another machine than this command makes: expected the rest.*, found .*virtio-rng-pci/,
    newer: /another machine than this command makes: expected .*virtio-balloon-pci, found the rest/,
    unsaid: /another version of this command/,
    none: /another version of this command/,
    hostile: /accelerator that is none/,
    count: /cpus that is none/,
    kvm: /another processor: expected other, flags 0, found emulated/,
  };
  for (const [name, file] of Object.entries(files)) {
    const { status, stderr } = await restore([], file);
    expect([status, stderr], name).toEqual([125, expect.stringContaining("[E_VM_SNAPSHOT]")]);
    expect(stderr, name).toMatch(words[name as keyof typeof files]);
  }
});

testVm("a state that QEMU does not take: its words", async () => {
  const file = path.join(path.dirname(app), "damaged.snapshot");
  const bytes = readFileSync(snapshot);
  writeFileSync(file, bytes.fill(0xff, HEADER_BYTES + 200, HEADER_BYTES + 4000));
  const { status, stderr } = await restore([], file);
  expect([status, stderr]).toEqual([125, expect.stringContaining("[E_VM_SNAPSHOT]")]);
  expect(stderr).toContain("load of migration failed");
});

skipUnless(
  "vm",
  "busybox",
  "userns",
)("a full disk: that it is, and that nothing is left", async () => {
  const home = userDirectory();
  const small = 'mount -t tmpfs -o size=8m none "$0" && "$@"; status=$?; ls -A "$0"; exit $status';
  const namespaces = ["--user", "--map-root-user", "--mount", "sh", "-c", small];
  const full = userDirectory();
  const made = [app, ...EMULATED, "--until", "ready", "-o", path.join(full, "app.snapshot")];
  const words = [bundleCommand, "vm", "snapshot", ...made, "--", "sh", "-c", SERVER];
  const { status, stdout, stderr } = await asUser(
    "unshare",
    [...namespaces, full, process.execPath, ...words],
    home,
    { env: { TMPDIR: home, XDG_RUNTIME_DIR: undefined }, timeout: PATIENCE },
  );
  expect([status === 0, stdout]).toEqual([false, "ready\n"]);
  expect(stderr).toContain("[E_OUTPUT_NO_SPACE]");
});

skipUnless("vm", "busybox")("a path as long as they get, whatever is in it", async () => {
  let dir = temporaryDirectory();
  const name = "\u0001".repeat(250);
  const from = process.cwd();
  process.chdir(dir);
  for (; dir.length + 2 * 251 < 4095; dir = path.join(dir, name)) {
    mkdirSync(name);
    process.chdir(name);
  }
  copyFileSync(app, "app.run");
  process.chdir(from);
  const file = path.join(path.dirname(app), "long.snapshot");
  const long = await vm(
    ["snapshot", path.join(dir, "app.run"), ...EMULATED, "--until", "ready", "-o", file].concat([
      "--",
      "sh",
      "-c",
      SERVER,
    ]),
  );
  expect([long.status, long.stdout]).toEqual([0, "ready\n"]);
  expect((await restore([], file)).status).toBe(9);
});

testVm("what the snapshot has decided cannot be asked for", async () => {
  const { status, stderr } = await restore(["--memory", "1G"]);
  expect([status, stderr]).toEqual([2, expect.stringContaining("[E_OPTION_CONFLICT]")]);
});

testVm("what was printed before it is said once, however late it is read", async () => {
  const file = path.join(temporaryDirectory(), "snapshot");
  const late = `{ "$@" || echo failed; } | { sleep 4; cat; }`;
  // Much of it is on its way when the app is stopped: in its pipe, in the guest, in QEMU, and in what is read late.
  const app200k = "echo ready; seq 1 200000";
  const words = ["vm", "snapshot", app, ...EMULATED, "--until", "ready", "-o", file, "--"];
  const before = await run(
    "sh",
    [...["-c", late, "", process.execPath, bundleCommand], ...[...words, "sh", "-c", app200k]],
    { timeout: PATIENCE },
  );
  const after = await vm(["run", "--from", file]);
  expect([before.stderr, after.status]).toEqual([expect.stringContaining("started in"), 0]);
  const lines = `${before.stdout}${after.stdout}`.trimEnd().split("\n");
  expect(lines).toEqual(["ready", ...Array.from({ length: 200_000 }, (_, i) => `${i + 1}`)]);
});

/** Prints the time without a pause until it jumps, and a hundred times more. */
const STAMPING = `
#include <stdio.h>
#include <time.h>
int main(void) {
  long last = time(NULL), now = last;
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("ready");
  for (; now < last + 3; now = time(NULL)) printf("%ld\\n", last = now);
  for (int i = 0; i < 100; i++) printf("%ld\\n", (long)time(NULL));
  return 0;
}
`;

skipUnless("vm", "gcc")("what was printed before it no restored machine says", async () => {
  const dir = temporaryDirectory();
  mkdirSync(path.join(dir, "app"));
  writeFileSync(path.join(dir, "app.c"), STAMPING);
  execFileSync("gcc", ["-static", "-o", path.join(dir, "app/app"), path.join(dir, "app.c")]);
  const [input, file] = [path.join(dir, "app.run"), path.join(dir, "snapshot")];
  await build({ input: path.join(dir, "app"), output: input });
  const { status } = await vm(["snapshot", input, ...EMULATED, "--until", "ready", "-o", file]);
  expect(status).toBe(0);
  await sleep(5000);
  const began = Math.floor(Date.now() / 1000);
  const { stdout } = await vm(["run", "--from", file]);
  // Of the first line the time may have been taken before.
  const [, ...stamps] = stdout.trimEnd().split("\n").map(Number);
  expect(stamps.length).toBeGreaterThanOrEqual(99);
  expect(stamps.filter((stamp) => !(stamp >= began))).toEqual([]);
});

testVm("one that is not over, or not read, can be interrupted", async () => {
  const dir = temporaryDirectory();
  const file = path.join(dir, "snapshot");
  for (const until of ["what nobody prints", "all"]) {
    const child = spawn(
      process.execPath,
      [
        ...[bundleCommand, "vm", "snapshot", app, ...EMULATED, "--until", until, "-o", file],
        ...["--", "sh", "-c", "echo ready; seq 1 200000; echo all; sleep 1000"],
      ],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    const ended = once(child, "exit");
    await once(child.stdout, "readable"); // and more comes than fits into a pipe
    await sleep(2000);
    child.kill("SIGTERM");
    expect([until, ...(await ended)]).toEqual([until, null, "SIGTERM"]);
    expect(readdirSync(dir)).toEqual([]);
  }
});

/** Processes in no group and in groups of the app's own, that never wait for anybody and print what they draw. */
const DRAWING = `
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static const char *const groups[] = { "own", ".own", ".", "..own", "fuselage" };
static int enter(const char *group) {
  char path[64] = "/tmp/groups/";
  if (strcmp(group, ".")) mkdir(strcat(path, group), 0755);
  FILE *file = fopen(strcat(path, "/cgroup.procs"), "w");
  return !file || fprintf(file, "%d", getpid()) < 0 || fclose(file);
}
int main(void) {
  mkdir("/tmp/groups", 0755);
  if (mount("none", "/tmp/groups", "cgroup2", 0, 0)) return 2;
  int at = 4;
  while (at > 0 && fork() == 0) at--;
  if (enter(groups[at])) return 3;
  if (at == 0) puts("ready");
  for (int i = 0; i < 400; i++) {
    unsigned long drawn[2];
    getrandom(drawn, sizeof drawn, 0);
    printf("%d %016lx%016lx\\n", getpid(), drawn[0], drawn[1]);
    fflush(stdout);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  while (wait(NULL) > 0) {
  }
  return 0;
}
`;

skipUnless("vm", "gcc")(
  "what an app draws before it is greeted no two restores share",
  async () => {
    const dir = temporaryDirectory();
    mkdirSync(path.join(dir, "app"));
    writeFileSync(path.join(dir, "app.c"), DRAWING);
    execFileSync("gcc", ["-static", "-o", path.join(dir, "app/app"), path.join(dir, "app.c")]);
    const [input, file] = [path.join(dir, "app.run"), path.join(dir, "snapshot")];
    await build({ input: path.join(dir, "app"), output: input });
    const until = ["--until", "ready", "-o", file];
    const { status, stderr } = await vm(["snapshot", input, ...EMULATED, ...until]);
    expect([status, stderr]).toEqual([0, expect.stringContaining("started in")]);
    const both = await Promise.all([1, 2].map(() => vm(["run", "--from", file])));
    const lines = both.flatMap(({ stdout }) => stdout.trimEnd().split("\n"));
    expect(new Set(lines.map((line) => line.split(" ")[0])).size).toBe(5);
    expect(lines.length).toBeGreaterThan(1000);
    // One that stopped between drawing and printing had drawn before the snapshot: its first line at most.
    const later = both.flatMap(({ stdout }) => {
      const printed = stdout.trimEnd().split("\n");
      const by = printed.map((line) => line.split(" ")[0]);
      return printed.filter((_, at) => by.indexOf(by[at]) < at);
    });
    expect(new Set(later).size).toBe(later.length);
  },
);

testVm("an app that has mounted over /proc stands still, and ends", async () => {
  const file = path.join(temporaryDirectory(), "snapshot");
  // Whoever opens one of these for reading waits for ever.
  const covered =
    "mount -t tmpfs none /proc; for i in self $(seq 200); do mkdir /proc/$i; mkfifo /proc/$i/stat /proc/$i/status; done; echo ready; read x; echo $x; exit 9";
  const args = ["snapshot", app, ...EMULATED, "--until", "ready", "-o", file];
  const { status, stderr } = await vm([...args, "--", "sh", "-c", covered]);
  expect([status, stderr]).toEqual([0, expect.stringContaining("started in")]);
  const later = await vm(["run", "--from", file], { input: "one\n" });
  expect([later.status, later.stdout, later.stderr]).toEqual([9, "one\n", ""]);
});

testVm(
  "groups that the app has frozen, made of threads or limited: all as the app left them",
  async () => {
    const file = path.join(temporaryDirectory(), "snapshot");
    const script = [
      "mkdir /tmp/c; mount -t cgroup2 none /tmp/c; cd /tmp/c; mkdir asleep fuselage fuselage-0",
      "while :; do echo >>/tmp/$0; sleep 0.1; done & sleeper=$!; echo $sleeper >asleep/cgroup.procs",
      "echo 1 >asleep/cgroup.freeze; echo threaded >fuselage/cgroup.type",
      "sleep 1000 & thread=$!; echo $thread >fuselage/cgroup.threads",
      "echo 0 >cgroup.max.descendants; echo 0 >cgroup.max.depth",
      "until grep -q 'frozen 1' asleep/cgroup.events; do sleep 0.1; done; wc -l </tmp/$0 >/tmp/before",
      "echo ready; read x",
      "cat asleep/cgroup.freeze fuselage/cgroup.freeze cgroup.max.descendants cgroup.max.depth",
      '[ "$(cat fuselage/cgroup.threads)" = $thread ] && echo thread',
      '[ "$(wc -l </tmp/$0)" = "$(cat /tmp/before)" ] && echo slept',
      'echo 0 >asleep/cgroup.freeze; until [ "$(wc -l </tmp/$0)" -gt "$(cat /tmp/before)" ]; do sleep 0.1; done',
      // Whether a shell says that a job was terminated depends on when it sees it.
      "echo woken; { kill $thread; wait $thread; } 2>/dev/null; exit 9",
    ].join("\n");
    const args = ["snapshot", app, ...EMULATED, "--until", "ready", "-o", file];
    const { status, stdout, stderr } = await vm([...args, "--", "sh", "-c", script, "log"]);
    expect([status, stdout, stderr]).toEqual([0, "ready\n", expect.stringContaining("started in")]);
    const later = await vm(["run", "--from", file], { input: "one\n" });
    expect([later.status, later.stdout, later.stderr]).toEqual([
      9,
      "1\n0\n0\n0\nthread\nslept\nwoken\n",
      "",
    ]);
  },
);
