/** Programs with a libc of their own, where the caller's rights, the place or the limits are odd. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, mkdirSync, rmSync, unlinkSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { skipUnless } from "../support/needs.ts";
import { answersOf, compileProgram, PackedTree } from "../support/packed-libc.ts";
import { ordinaryUser, type RunOptions, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let dir = "";
let tree: PackedTree;
/** Programs of the tree, for any libc and for the packed one. */
let probe = "";
let program = "";
let oddly = "";
/** The packed dynamic linker. */
let loader = "";

const built = (name: string) => path.join(dir, name);

beforeAll(async () => {
  if (process.arch !== "x64") return;
  dir = temporaryDirectory();
  chmodSync(dir, 0o755);
  tree = await PackedTree.make(built("app"));
  probe = await tree.add(compileProgram("packed-probe.c", built("probe")), "bin/probe");
  const source = compileProgram("packed-program.cc", built("program"), ["-pthread"]);
  program = await tree.add(source, "bin/program");
  oddly = compileProgram("start-oddly.c", built("oddly"));
  loader = path.join(tree.root, "lib/libc/ld-linux-x86-64.so.2");
});

/** A start that fails before the program, and says only why. */
async function refused(command: string, args: readonly string[] = [], options: RunOptions = {}) {
  const { status, stdout, stderr } = await run(command, args, options);
  expect({ status, stdout }).toEqual({ status: 127, stdout: "" });
  return stderr.split("\n")[0];
}

/** A start as every other. */
async function starts(command: string, args: readonly string[] = [], options: RunOptions = {}) {
  const { status, stdout, stderr } = await run(command, args, options);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return answersOf(stdout);
}

describe("a caller", () => {
  // For the kernel that is a start with more rights than the caller's, as by a set-ID bit.
  for (const which of ["--ruid", "--rgid"]) {
    skipUnless("gcc", "root")(`whose ${which.slice(2)} is another one is refused`, async () => {
      const set = [which, "1000", "--clear-groups"];
      const reason = `fuselage: [E_LOADER_SET_ID] ${probe}`;
      for (const libc of ["auto", "packed", "host"]) {
        const env = { FUSELAGE_LIBC: libc };
        expect(await refused("setpriv", [...set, probe], { env })).toBe(reason);
      }
      // One identity, as the hint has it.
      const one = ["--reuid", "1000", "--regid", "1000", "--clear-groups"];
      expect(await starts("setpriv", [...one, probe])).toMatchObject({ exe: probe });
    });
  }

  skipUnless("gcc", "root")("hands its own capabilities on, as services get them", async () => {
    const identity = ["--reuid", "1000", "--regid", "1000", "--clear-groups"];
    const rights = ["--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"];
    expect(await starts("setpriv", [...identity, ...rights, probe])).toMatchObject({ exe: probe });
  });

  skipUnless("gcc", "root")("that gets no new rights starts what has set-ID bits", async () => {
    const file = await tree.add(built("probe"), "bin/set-id");
    chmodSync(file, 0o6755);
    const identity = ["--reuid", "1000", "--regid", "1000", "--clear-groups"];
    expect(await refused("setpriv", [...identity, file])).toMatch("[E_LOADER_SET_ID]");
    const start = await starts("setpriv", [...identity, "--no-new-privs", file]);
    expect(start).toMatchObject({ exe: file });
  });

  skipUnless("gcc", "root")("need not be able to read the program", async () => {
    const file = await tree.add(built("probe"), "bin/unreadable");
    chmodSync(file, 0o711);
    expect(await starts(file, [], ordinaryUser())).toMatchObject({ exe: file });
  });
});

describe("the kernel's reason is given when it refuses the dynamic linker", () => {
  skipUnless("gcc")("for want of descriptors", async () => {
    expect(await refused(oddly, ["no-files", probe])).toBe(
      `fuselage: [E_LOADER_REFUSED] ${loader}: too many open files`,
    );
    const env = { FUSELAGE_LIBC: "host" };
    expect(await refused(oddly, ["no-files", probe], { env })).toBe(
      "fuselage: [E_LOADER_REFUSED] /lib64/ld-linux-x86-64.so.2: too many open files",
    );
  });

  skipUnless("gcc")("for want of memory", async () => {
    expect(await refused("sh", ["-c", `ulimit -v 300; exec ${probe}`])).toBe(
      `fuselage: [E_LOADER_REFUSED] ${loader}: cannot allocate memory`,
    );
  });

  skipUnless("gcc", "root")("where it may not be opened, or not be executed", async () => {
    const folder = path.dirname(loader);
    chmodSync(folder, 0o700);
    const closed = await refused(probe, [], ordinaryUser()).finally(() => chmodSync(folder, 0o755));
    expect(closed).toBe(`fuselage: [E_LOADER_REFUSED] ${loader}: permission denied`);
    const mounts = `mount --bind ${folder} ${folder} && mount -o remount,bind,noexec ${folder}`;
    const script = `${mounts} && exec ${probe}`;
    expect(await refused("unshare", ["--mount", "sh", "-c", script])).toBe(
      `fuselage: [E_LOADER_REFUSED] ${loader}: operation not permitted`,
    );
  });
});

describe("a place", () => {
  skipUnless("gcc", "root")("may be a chroot without /proc", async () => {
    const top = built("chroot");
    mkdirSync(top);
    cpSync(tree.root, path.join(top, "app"), { recursive: true });
    const { uid, gid } = ordinaryUser();
    for (const args of [[top], [`--userspec=${uid}:${gid}`, top]]) {
      const seen = await starts("chroot", [...args, "/app/bin/probe"]);
      expect(seen).toMatchObject({ exe: "(none)", name: "/app/bin/probe", vector: "yes" });
      const opened = await starts("chroot", [...args, "/app/bin/probe", "open", "libm.so.6"]);
      expect(opened).toEqual({ opened: "/app/bin/../lib/libc/libm.so.6" });
    }
  });

  skipUnless("gcc", "python3")("may have a name that is longer than a path can be", async () => {
    const script = `
import os, sys
tree, bytes = sys.argv[1], int(sys.argv[2])
while len(tree) + 210 < bytes:
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
    bytes -= 201
os.system("cp -r '%s/bin' '%s/lib' ." % (tree, tree))
os.execv("bin/probe", ["bin/probe"])
`;
    const top = built("deep");
    const args = (bytes: number) => ["-c", script, tree.root, `${bytes}`];
    const inFolder = async <T>(start: (options: RunOptions) => Promise<T>): Promise<T> => {
      mkdirSync(top);
      // Node removes by whole paths alone.
      return start({ cwd: top }).finally(() => execFileSync("rm", ["-r", top]));
    };
    const { exe } = await inFolder((options) => starts("python3", args(3800), options));
    expect(exe?.length).toBeGreaterThan(3500);
    expect(await inFolder((options) => refused("python3", args(5000), options))).toBe(
      "fuselage: [E_LOADER_PLACE] cannot tell where the program is: bin/probe",
    );
    // The host's libc needs no place.
    const env = { FUSELAGE_LIBC: "host" };
    const host = await inFolder((options) => starts("python3", args(5000), { ...options, env }));
    expect(host).toMatchObject({ name: "bin/probe", vector: "yes" });
  });
});

/** A program that has said that it runs, and waits. */
async function waiting(file: string): Promise<[ChildProcess, number]> {
  const child = spawn(file, ["wait"], { stdio: ["ignore", "pipe", "inherit"], cwd: dir });
  const [line] = await once(child.stdout, "data");
  return [child, Number(line)];
}

describe("a program whose file is deleted while it runs", () => {
  skipUnless("gcc")("starts itself again, as long as its libc is there", async () => {
    const copy = built("deleted");
    cpSync(tree.root, copy, { recursive: true });
    const [child, pid] = await waiting(path.join(copy, "bin/program"));
    const exe = `/proc/${pid}/exe`;
    try {
      unlinkSync(path.join(copy, "bin/program"));
      const seen = answersOf((await run(exe, [])).stdout);
      expect(seen).toMatchObject({ exe: `${copy}/bin/program (deleted)`, child: "42" });
      rmSync(copy, { recursive: true });
      expect(await refused(exe)).toBe(
        `fuselage: [E_LOADER_MISSING] ${copy}/lib/libc/ld-linux-x86-64.so.2`,
      );
    } finally {
      child.kill("SIGKILL");
    }
  });
});

describe("tools that look at a program", () => {
  skipUnless("gcc", "gdb")("find all of it in a core file", async () => {
    const [child, pid] = await waiting(program);
    const core = built("core");
    try {
      const gcore = ["-nx", "-batch", "-p", `${pid}`, "-ex", `generate-core-file ${core}`];
      await run("gdb", gcore, { env: { DEBUGINFOD_URLS: "" } });
    } finally {
      child.kill("SIGKILL");
    }
    const commands = ["info sharedlibrary", "thread apply all backtrace", "info symbol pause"];
    const asked = commands.flatMap((one) => ["-ex", one]);
    const { stdout } = await run("gdb", ["-nx", "-batch", program, core, ...asked], {
      env: { DEBUGINFOD_URLS: "" },
    });
    expect(stdout).toMatch(`pause in section .text of ${tree.root}/lib/libc/libc.so.6`);
    expect(stdout).toMatch(/Thread 2 [\s\S]*pause/);
    for (const name of ["libc.so.6", "libstdc...so.6", "ld-linux-x86-64.so.2"])
      expect(stdout).toMatch(new RegExp(`Yes .*${tree.root}/lib/libc/${name}`));
  });

  skipUnless(
    "gcc",
    "gdb",
    "coreFiles",
  )("find it in one that the kernel wrote", async () => {
    const folder = built("crashed");
    mkdirSync(folder);
    const script = `ulimit -c unlimited; ${program} wait >"$0" &
      until test -s "$0"; do sleep 0.05; done; kill -SEGV $!; wait $!`;
    await run("sh", ["-c", script, built("crashed.says")], { cwd: folder });
    const file = execFileSync("find", [folder, "-type", "f"], { encoding: "utf8" }).trim();
    const { stdout } = await run(
      "gdb",
      ["-nx", "-batch", program, file, "-ex", "info sharedlibrary", "-ex", "info symbol pause"],
      { env: { DEBUGINFOD_URLS: "" } },
    );
    expect(stdout).toMatch("Program terminated with signal SIGSEGV");
    expect(stdout).toMatch(`pause in section .text of ${tree.root}/lib/libc/libc.so.6`);
  });

  skipUnless("gcc", "perf")("see the files that its time was spent in", async () => {
    const source = `#include <math.h>
#include <stdlib.h>
static int compare(const void *a, const void *b) { return *(const char *)a - *(const char *)b; }
int main(void)
{
	volatile double sum = 0;
	static char bytes[1 << 20];
	for (int i = 0; i < 20000000; i++)
		sum = cos(sum + i);
	for (int i = 0; i < 1 << 20; i++)
		bytes[i] = (char)(i * 7919u >> 3);
	qsort(bytes, sizeof bytes, 1, compare);
	return bytes[0] > bytes[sizeof bytes - 1];
}
`;
    const flags = ["-fno-builtin", "-lm"];
    const file = await tree.add(compileProgram(source, built("busy"), flags), "bin/busy");
    const data = built("perf.data");
    const record = ["record", "-q", "-F", "999", "-e", "cpu-clock:u", "-o", data, file];
    expect(await run("perf", record)).toMatchObject({ status: 0 });
    const { stdout } = await run("perf", ["script", "-i", data, "-F", "ip,sym,dso"]);
    const libc = path.join(tree.root, "lib/libc");
    expect(stdout).toMatch(`(${file})`);
    expect(stdout).toMatch(`(${libc}/libm.so.6)`);
    expect(stdout).toMatch(`(${libc}/libc.so.6)`);
    expect(stdout).toMatch(/ compare \(/);
    // All that was executed has a file.
    const places = new Set([...stdout.matchAll(/\(([^()]*)\)$/gm)].map(([, place]) => place));
    const foreign = [...places].filter((place) => !place?.startsWith(tree.root));
    expect(foreign.filter((place) => place !== "[vdso]" && place !== "[unknown]")).toEqual([]);
  });

  skipUnless("gcc", "valgrind")("count its memory, where the host's libc is taken", async () => {
    const source = `#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
	char *text = strdup(argv[0]);
	return text[0] ? 3 + argc : 0;
}
`;
    const plain = compileProgram(source, built("leaks"));
    const file = await tree.add(plain, "bin/leaks", { mode: "auto" });
    const valgrind = (libc: string) =>
      run("valgrind", ["--leak-check=full", file, "one"], {
        env: { FUSELAGE_LIBC: libc },
      });
    for (const libc of ["auto", "host"]) {
      const { status, stderr } = await valgrind(libc);
      expect(status).toBe(5);
      expect(stderr).toMatch(`definitely lost: ${file.length + 1} bytes in 1 blocks`);
      expect(stderr).toMatch("ERROR SUMMARY: 1 errors");
    }
    // Its own malloc comes by LD_PRELOAD, which a packed dynamic linker does not follow.
    const { status, stderr } = await valgrind("packed");
    expect(stderr).toMatch("total heap usage: 0 allocs");
    expect(status).toBe(5);
  });
});
