/**
 * The app finds the state of its process as it would without us: whatever the caller has set, in every way to
 * start it, it prints the same as when the caller starts it directly. runtime/base/inherited.h says of each kind
 * why that is so.
 */
import { beforeAll, describe, expect } from "vitest";
import { mksquashfs } from "../support/bundle-of.ts";
import { type Need, skipUnless } from "../support/needs.ts";
import { isRoot, ordinaryUser } from "../support/process.ts";
import {
  compile,
  compileState,
  listen,
  packProgram,
  type Shown,
} from "../support/process-state.ts";
import { asOrdinary, asRoot, checkOf, runnerOf, setuidRoot } from "../support/runner.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

let state: string;
let bundle: string;
let image: string;
let refuse: string;

beforeAll(async () => {
  state = compileState();
  refuse = compile("support/refuse-calls.c");
  const packed = await packProgram(state);
  bundle = packed.file;
  image = await mksquashfs(packed.input, "-all-root");
});

interface Way {
  title: string;
  root: boolean;
  /** Where the app is: what the kernel keeps for each user namespace differs. */
  place: "host" | "user namespace" | "setuid";
  /** Every file of the archive is written anew. */
  extracts?: boolean;
  /** A set-id program of others mounts. */
  helper?: boolean;
  check: ReturnType<typeof skipUnless>;
  command: () => string[];
  env?: Record<string, string>;
  /** Becomes the caller. */
  before?: () => string[];
}

const { uid, gid } = ordinaryUser();
const { gcc, root } = { gcc: "gcc", root: "root" } as const;

const show = (file: () => string, ...args: string[]) => ({
  command: () => [file(), ...args, "show"],
});

const ofBundle = (
  title: string,
  strategy: string,
  way: Omit<Way, "title" | "check" | "command" | "env">,
  ...needs: Need[]
): Way => ({
  title: `a bundle, ${title}`,
  check: skipUnless(gcc, ...needs),
  env: { FUSELAGE_MOUNT: strategy },
  ...show(() => bundle),
  ...way,
});

const ofRunner = (runner: typeof asRoot, use: "--static" | "--dynamic", ...needs: Need[]): Way => ({
  title: `fuselage ${use}, ${runner.title}`,
  root: runner.root,
  place: runner.setuid ? "setuid" : runner.root ? "host" : "user namespace",
  check: checkOf(runner, gcc, "mksquashfs", ...needs),
  command: () => [runnerOf(runner), `${use}=a:${image}`, "--run", "state", "show"],
});

const user = { root: false, place: "user namespace" } as const;
const ways: Way[] = [
  ofBundle("loop, as root", "loop", { root: true, place: "host" }, root, "loop"),
  ofBundle("fuse, as root", "fuse", { root: true, place: "host" }, root, "fuse"),
  ofBundle("extract, as root", "extract", { root: true, place: "host", extracts: true }, root),
  ofBundle("fuse, as a user", "fuse", user, "fuse", "userns"),
  ofBundle("extract, as a user", "extract", { ...user, extracts: true }, "userns"),
  ofBundle(
    "fusermount, as a user",
    "fusermount",
    { root: false, place: "host", helper: true },
    "fuse",
    "fusermount",
  ),
  {
    title: "a bundle, from a disk tree, where namespaces are refused",
    root: true, // becomes the user
    place: "host",
    extracts: true,
    check: skipUnless(root, gcc),
    before: () => [refuse, `${uid}`, `${gid}`],
    env: { FUSELAGE_MOUNT: "extract" },
    ...show(() => bundle),
  },
  ofRunner(asRoot, "--static"),
  ofRunner(asRoot, "--dynamic"),
  ofRunner(asOrdinary, "--static", "fuse"),
  ofRunner(asOrdinary, "--dynamic", "fuse"),
  ofRunner(setuidRoot, "--static"),
  ofRunner(setuidRoot, "--dynamic"),
];

interface Kind {
  title: string;
  /** Words of `state with`. */
  set: string[];
  env?: Record<string, string>;
  /** Asked for before the user's rights are taken. */
  before?: string[];
  for?: (way: Way) => boolean;
}

/** All children are waited for, and none may come that the caller has not made. */
const waits = { STATE_CHILDREN: "1" };
const HOUR = 3_630_000; // half a minute more, so that a start of seconds shows the same minute

const kinds: Kind[] = [
  { title: "nothing at all", set: [], env: waits },
  { title: "SIGCHLD ignored", set: ["ignore=17"], env: waits },
  { title: "SIGCHLD ignored by SA_NOCLDWAIT", set: ["nocldwait=17"], env: waits },
  { title: "SIGCHLD blocked", set: ["block=17"], env: waits },
  { title: "SIGCHLD blocked and pending", set: ["block=17", "pend=17"], env: waits },
  { title: "every signal ignored", set: ["ignore=all"], env: waits },
  { title: "every signal blocked", set: ["block=all"], env: waits },
  { title: "every signal ignored and blocked", set: ["ignore=all", "block=all"], env: waits },
  {
    title: "signals pending",
    set: ["block=all", "pend=1", "pend=10", "pend=14", "pend=34", "pend=64"],
  },
  { title: "SIGXFSZ blocked", set: ["block=25"] },
  { title: "SIGXFSZ blocked and pending", set: ["block=25", "pend=25"] },
  { title: "SIGXFSZ ignored, blocked and pending", set: ["block=25", "ignore=25", "pend=25"] },
  { title: "SIGPIPE ignored", set: ["ignore=13"] },
  { title: "SIGTTOU and SIGTTIN ignored", set: ["ignore=21", "ignore=22"] },
  { title: "an alarm in an hour", set: [`real=${HOUR}`] },
  { title: "timers of its own time", set: [`virtual=${HOUR}`, `profile=${HOUR}`] },
  { title: "a child that ends at once", set: ["child=0"], env: waits },
  { title: "a child that ends during the start", set: ["child=4"], env: waits },
  { title: "a child that outlives the start", set: ["child=400"], env: waits },
  {
    title: "children, SIGCHLD ignored",
    set: ["ignore=17", "child=0", "child=4", "child=300"],
    env: waits,
  },
  {
    title: "children, SIGCHLD blocked",
    set: ["block=17", "child=0", "child=4", "child=300"],
    env: waits,
  },
  { title: "umask 0777", set: ["umask=777"] },
  { title: "umask 0", set: ["umask=0"] },
  {
    title: "limits of every kind",
    set: [
      ...["0=1000,2000", "2=400000000", "3=1000000", "4=0", "5=90000000", "6=4000", "7=64,70"],
      ...["8=65536", "9=900000000", "10=20", "11=10", "12=0", "13=0", "14=0", "15=5000000"],
    ].map((limit) => `limit=${limit}`),
  },
  { title: "no file may be written", set: ["limit=1=0"], for: (way) => !way.extracts },
  {
    title: "no file may be written, SIGXFSZ blocked",
    set: ["limit=1=0", "block=25"],
    for: (way) => !way.extracts,
  },
  { title: "small files only, SIGXFSZ pending", set: ["limit=1=9000000", "block=25", "pend=25"] },
  { title: "nice", set: ["nice=7"] },
  { title: "SCHED_BATCH", set: ["policy=3"] },
  { title: "SCHED_IDLE, reset on fork", set: ["policy=5r"] },
  { title: "SCHED_FIFO", set: ["policy=1"], for: (way) => way.root && !way.before },
  { title: "one processor", set: ["affinity=1"] },
  { title: "idle I/O", set: ["ioprio=24576"] },
  { title: "timer slack", set: ["slack=123456"] },
  { title: "memory of one node", set: ["memory=2"] },
  { title: "out-of-memory score", set: ["oom=500"] },
  { title: "filter of core dumps", set: ["core=0x7f"] },
  { title: "no huge pages", set: ["thp=1"] },
  { title: "no memory to write and execute", set: ["mdwe=1"] },
  { title: "no speculation", set: ["speculation=4"] },
  { title: "no new privileges", set: ["no_new_privs=1"], for: (way) => !way.helper },
  { title: "not dumpable", set: ["dumpable=0"] },
  { title: "a subreaper", set: ["subreaper=1"], env: waits },
  { title: "a subreaper with children", set: ["subreaper=1", "child=4", "child=300"], env: waits },
  { title: "a signal when the parent dies", set: ["pdeathsig=15"] },
  // Layout of memory; time-outs, 3 GB, executable data; a 32-bit machine with Linux 2.6.
  ...["0x0240000", "0xc480000", "0x0020008"].map((flags) => ({
    title: `personality ${flags}`,
    set: [`personality=${flags}`],
  })),
  { title: "a session of its own", set: ["group=1"] },
  { title: "a group of its own", set: ["group=0"] },
  { title: "a new session keyring", set: ["keyring=1"] },
  { title: "a folder of /proc", set: ["folder=/proc"] },
  { title: "a folder that was removed", set: ["folder=deleted"] },
  ...["0", "2", "12", "012"].map((closed) => ({
    title: `descriptors ${closed} closed`,
    set: [`close=${closed}`],
  })),
  { title: "descriptors of the caller's", set: ["open=4", "open=20", "open=200"] },
  {
    title: "securebits",
    set: [],
    before: ["--securebits", "+noroot,+noroot_locked,+no_setuid_fixup"],
    // Root without rights of its own may map nobody into a namespace.
    for: (way) => isRoot && way.place === "user namespace",
  },
  {
    title: "much of it together",
    env: waits,
    set: [
      ...[
        "ignore=17",
        "ignore=1",
        "block=25",
        "block=14",
        "pend=14",
        `virtual=${HOUR}`,
        "umask=077",
      ],
      ...["child=4", "policy=3", "nice=9", "affinity=2", "ioprio=16391", "slack=77777", "oom=300"],
      ...[
        "thp=1",
        "subreaper=1",
        "personality=0x40000",
        "group=1",
        "keyring=1",
        "close=0",
        "open=9",
      ],
      ...["limit=4=0", "limit=7=40", "limit=8=0"],
    ],
  },
];

/** What the kernel takes away before our first line, or with a user namespace: docs/security.md. */
function documented(lines: readonly string[], way: Way, kind: Kind): string[] {
  const setuid = way.place === "setuid" && !kind.set.includes("no_new_privs=1");
  const changed = lines
    .filter((line) => way.place === "host" || setuid || !line.startsWith("status Cap"))
    .map((line) => {
      if (!setuid) return line;
      const flags = /^personality (.*)$/.exec(line);
      // PER_CLEAR_ON_SETID, and what weakens the layout of memory.
      if (flags) {
        const kept = Number.parseInt(flags[1] as string, 16) & ~0x0740000;
        return `personality ${kept.toString(16).padStart(8, "0")}`;
      }
      return line.replace(/^parent-death signal .*/, "parent-death signal 0");
    });
  // The libc of every set-id program opens what is closed.
  for (const fd of setuid ? [0, 1, 2] : []) {
    if (changed[fd]?.startsWith(`descriptor ${fd}:`)) continue;
    changed.splice(fd, 0, `descriptor ${fd}: flags 0 100002, mode 20000, at 0`);
  }
  return changed;
}

const directly = new Map<string, Promise<Shown>>();

/** Sets it, becomes the command, and reads what that finds. */
function started(way: Way, kind: Kind, command: readonly string[], env = way.env): Promise<Shown> {
  const before = [...(way.before?.() ?? [])];
  const rights = ["--reuid", `${uid}`, "--regid", `${gid}`, "--clear-groups"];
  if (kind.before) before.push("setpriv", ...kind.before, ...rights);
  const home = way.root && !way.before ? temporaryDirectory() : userDirectory();
  const words = [...before, state, "with", ...kind.set, "--", ...command];
  return listen(words, { root: way.root || !!kind.before, home, env: { ...env, ...kind.env } });
}

function direct(way: Way, kind: Kind): Promise<Shown> {
  const key = `${kind.title} ${way.root} ${!!way.before}`;
  const known = directly.get(key) ?? started(way, kind, [state, "show"], {});
  directly.set(key, known);
  return known;
}

describe.each(ways)("$title", (way) => {
  for (const kind of kinds.filter(({ for: fits }) => fits?.(way) ?? true)) {
    way.check(kind.title, async () => {
      const expected = await direct(way, kind);
      expect(expected).toMatchObject({ status: 0, stderr: "" });
      expect(expected.lines.at(-1)).toBe("end");
      const { status, lines, stderr } = await started(way, kind, way.command());
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      const found = way.place === "user namespace" || kind.set.includes("no_new_privs=1");
      const shown =
        found && way.place !== "host" ? lines.filter((l) => !l.startsWith("status Cap")) : lines;
      expect(shown).toEqual(documented(expected.lines, way, kind));
    });
  }
});
