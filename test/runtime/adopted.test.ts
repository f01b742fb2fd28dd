/**
 * Whoever adopts orphans (a supervisor, a CI runner, process 1 of a container) waits for no process of ours
 * once the app has ended, also where the mount would be kept for later starts.
 */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { asUser, run } from "../support/process.ts";
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
print("waited" if time.time() - start > 3 else "at once")
`;

let file: string;
let waits: string;
beforeAll(async () => {
  file = await pack({ run: runArguments });
  waits = path.join(temporaryDirectory(), "waits.py");
  writeFileSync(waits, reaper);
  await sleep(100); // Until another change of the file would show: before, nothing is shared.
});

const linger = { FUSELAGE_LINGER: "8", FUSELAGE_MOUNT: undefined };
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
});
