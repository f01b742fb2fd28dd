/**
 * Whoever adopts orphans (a supervisor, a CI runner, process 1 of a container), and whoever waits for more than
 * the app (a service manager for a cgroup, a reader for the end of a pipe, a terminal that hangs up), waits for
 * no process of ours once the app has ended, also where the mount would be kept for later starts.
 */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import { type Need, skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { asUser, root, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

/** Starts a command, waits for all children that it ever gets, and says how long. */
const reaper = `import ctypes, os, sys, time
if sys.argv[1] == "subreaper":
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
start = time.time()
os.spawnvp(os.P_NOWAIT, sys.argv[2], sys.argv[2:])
while True:
    try: os.wait()
    except ChildProcessError: break
print("waited" if time.time() - start > 50 else "at once")
`;

let file: string;
let waits: string;
let managers: string;
beforeAll(async () => {
  file = await pack({ run: runArguments, data: "packed\n" });
  waits = path.join(temporaryDirectory(), "waits.py");
  writeFileSync(waits, reaper);
  managers = path.join(path.dirname(waits), "managers.py");
  copyFileSync(path.join(root, "test/support/managers.py"), managers);
  await sleep(100); // Until another change of the file would show: before, nothing is shared.
});

/** Twice of what is "at once" here, and less than a command of the tests may take. */
const linger = { FUSELAGE_LINGER: "100", FUSELAGE_MOUNT: undefined };
const container = ["unshare", "--pid", "--fork", "--mount-proc"];
const between = ["sh", "-c", '"$@"; exit $?', "sh"];

const parents: [title: string, command: () => string[]][] = [
  ["a subreaper that starts it", () => ["python3", waits, "subreaper", file]],
  ["a subreaper above a shell", () => ["python3", waits, "subreaper", ...between, file]],
  [
    "a subreaper below another one",
    () => ["python3", waits, "subreaper", "python3", waits, "subreaper", ...between, file],
  ],
  [
    "process 1 of a container, which starts it",
    () => [...container, "python3", waits, "first", file],
  ],
  [
    "process 1 of a container, above a shell",
    () => [...container, "python3", waits, "first", ...between, file],
  ],
];

/** Ends when it is told to, after it has read a file of its own. */
const untilTerm = `import os, signal, sys
def end(*_):
    print(open(os.environ["FUSELAGE_BUNDLE_DIR"] + "/data").read(), end="")
    sys.exit(3)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
while True: signal.pause()`;
/** Does not end when its terminal hangs up, but after it has read a file of its own. */
const beyondHangUp = `trap "" HUP; echo up; while (: >/dev/tty) 2>/dev/null; do sleep 0.05; done; read line < "$FUSELAGE_BUNDLE_DIR/data" && echo "$line" > "$1"`;

interface Manager {
  title: string;
  /** Of managers.py. */
  kind: string;
  /** What is around it. */
  inside?: readonly string[];
  /** What the app runs; `out` is a file to write. */
  app(out: string): readonly string[];
  printed: string;
  /** What stands in the file. */
  written?: string;
  /** It makes a cgroup, which root may. */
  cgroup?: true;
}

const echo = () => ["echo", "up"];

const waiting: Manager[] = [
  {
    title: "process 1 of a container that reaps, as tini",
    kind: "init",
    inside: container,
    app: () => ["sh", "-c", "echo up; read end; exit 7"],
    printed: "up\n0 others, status 7, at once\n",
  },
  {
    title: "a subreaper that reaps until its child has ended, as tini -s",
    kind: "subreaper-init",
    app: () => ["sh", "-c", "echo up; read end; exit 7"],
    printed: "up\n0 others, status 7, at once\n",
  },
  {
    title: "a service manager that waits for an empty cgroup",
    kind: "service",
    app: echo,
    printed: "up\nstatus 0, at once\n",
    cgroup: true,
  },
  {
    title: "a service manager that is a subreaper, as systemd --user",
    kind: "subreaper-service",
    app: echo,
    printed: "up\nstatus 0, at once\n",
    cgroup: true,
  },
  {
    title: "a service manager that ends all in the cgroup",
    kind: "subreaper-stopped-service",
    app: () => ["python3", "-c", untilTerm],
    printed: "up\npacked\nstatus 3, at once\n",
    cgroup: true,
  },
  {
    title: "a terminal that hangs up",
    kind: "subreaper-terminal",
    app: () => ["sh", "-c", "echo up; exec sleep 100"],
    printed: "up, at once\n",
  },
  {
    title: "a terminal that hangs up under an app that goes on",
    kind: "subreaper-terminal",
    app: (out) => ["sh", "-c", beyondHangUp, "sh", out],
    printed: "up, at once\n",
    written: "packed\n",
  },
  { title: "a reader of pipes", kind: "pipes", app: echo, printed: "up, at once\n" },
  {
    title: "a reader of pipes that is a subreaper",
    kind: "subreaper-pipes",
    app: echo,
    printed: "up, at once\n",
  },
];

describe.each([["root"], ["a user"]] as const)("as %s", (who) => {
  for (const [title, command] of parents) {
    const user = who === "a user";
    const needs = user ? (["userns", "fuse"] as const) : (["root"] as const);
    skipUnless("python3", ...needs)(`${title} waits for nothing`, async () => {
      const home = user ? userDirectory() : temporaryDirectory();
      const [program = "", ...args] = command();
      const line = user && program === "unshare" ? ["--user", "--map-current-user", ...args] : args;
      const env = { HOME: home, ...linger };
      for (let i = 0; i < 2; i++) {
        const outcome = user
          ? await asUser(program, [...line, "echo", "up"], home, { env })
          : await run(program, [...line, "echo", "up"], { env });
        const lines = outcome.stdout.trim().split("\n");
        expect({ ...outcome, stdout: [...new Set(lines)] }).toMatchObject({
          status: 0,
          stderr: "",
          stdout: ["up", "at once"],
        });
      }
    });
  }

  for (const { title, kind, inside = [], app, printed, written, cgroup } of waiting) {
    const user = who === "a user";
    if (user && cgroup) continue;
    const needs: Need[] = user ? ["userns", "fuse"] : ["root", "fuse"];
    if (cgroup) needs.push("cgroup");
    skipUnless("python3", ...needs)(`${title} waits for nothing`, async () => {
      const home = user ? userDirectory() : temporaryDirectory();
      const out = path.join(home, "out");
      const own = user && inside.length > 0 ? ["--user", "--map-current-user"] : [];
      const [program = "", ...args] = [...inside, "python3", managers, kind, file, ...app(out)];
      const line = inside.length > 0 ? [...own, ...args] : args;
      // With and without a server of ours, each for the first time and then shared.
      for (const FUSELAGE_MOUNT of [undefined, undefined, "fuse", "fuse"]) {
        const env = { HOME: home, ...linger, FUSELAGE_MOUNT };
        const outcome = user
          ? await asUser(program, line, home, { env })
          : await run(program, line, { env });
        expect(outcome).toMatchObject({ status: 0, stderr: "", stdout: printed });
        if (written !== undefined) expect(readFileSync(out, "utf8")).toBe(written);
      }
    });
  }
});
