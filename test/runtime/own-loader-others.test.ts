/** Programs of musl and of other machines with a libc of their own, and what debuggers see of one. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { type OwnLoader, startByOwnLoader } from "../../builder/elf/own-loader.ts";
import { withPrivateVariables } from "../../builder/elf/packed-libc.ts";
import { withoutHostFiles } from "../../builder/elf/packed-loader.ts";
import { zigEnv, zigPath } from "../../scripts/build/zig.mjs";
import { BareRoot, enterRoot } from "../support/bare-root.ts";
import { type Need, skipUnless } from "../support/needs.ts";
import { answersOf, compileProgram, PackedTree } from "../support/packed-libc.ts";
import { asUser, root as checkout, isRoot, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let dir = "";
const built = (name: string) => path.join(dir, name);
const hostile = { LD_LIBRARY_PATH: "/nowhere", LD_PRELOAD: "/nowhere/x.so", LANG: "C" };

beforeAll(() => {
  dir = temporaryDirectory();
  chmodSync(dir, 0o755);
});

async function pack(from: string, to: string, given: OwnLoader): Promise<void> {
  mkdirSync(path.dirname(to), { recursive: true });
  writeFileSync(to, await startByOwnLoader(readFileSync(from), given, from), { mode: 0o755 });
}

describe("a program of musl", () => {
  const loader = "ld-musl-x86_64.so.1";

  skipUnless(
    "musl",
    "gcc",
    "root",
  )("starts by a musl beside it", async () => {
    const source = path.join(checkout, "test/support/packed-probe.c");
    execFileSync("x86_64-linux-musl-gcc", ["-O1", "-o", built("musl"), source]);
    const root = new BareRoot(path.join(dir, "bare"), enterRoot(dir));
    root.add(`/lib/${loader}`, `/an app/lib/libc/${loader}`);
    const own: OwnLoader = {
      ...{ libc: "musl", root: 1, loader: `lib/libc/${loader}` },
      ...{ libraries: ["lib/libc"], mode: "auto", versions: [] },
    };
    const file = "/an app/bin/program";
    await pack(built("musl"), path.join(root.top, file), own);
    for (const env of [{}, hostile, { FUSELAGE_LIBC: "packed" }]) {
      const { status, stdout, stderr } = await root.start(1000, file, ["one"], { env });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      const seen = answersOf(stdout);
      expect(seen).toMatchObject({ exe: file, name: file, libc: "musl", vector: "yes" });
      expect(seen["main"]).toMatch(new RegExp(`^${Object.keys(env).length + 1} `)); // PATH
      expect(seen["child"]).toBe(seen["main"]);
    }
    const { status, stderr } = await root.start(0, file, [], { env: { FUSELAGE_LIBC: "host" } });
    expect(status).toBe(127);
    expect(stderr).toMatch(`[E_LOADER_MISSING] the host has no /lib/${loader}`);
  });

  skipUnless("musl", "gcc")("is told where musl's search path cannot name its folder", async () => {
    const folder = path.join(dir, "a:b");
    mkdirSync(path.join(folder, "lib"), { recursive: true });
    copyFileSync(`/lib/${loader}`, path.join(folder, "lib", loader));
    const source = path.join(checkout, "test/support/packed-probe.c");
    execFileSync("x86_64-linux-musl-gcc", ["-O1", "-o", built("colon"), source]);
    await pack(built("colon"), path.join(folder, "program"), {
      ...{ libc: "musl", root: 0, loader: `lib/${loader}` },
      ...{ libraries: ["lib"], mode: "pack", versions: [] },
    });
    const { status, stderr } = await run(path.join(folder, "program"), []);
    expect(status).toBe(127);
    expect(stderr).toMatch(`[E_LOADER_PLACE] musl divides its search path at colons: ${folder}`);
  });
});

interface Other {
  need: Need;
  loader: string;
  emulation: string;
  flags: readonly string[];
}

const machines: Record<string, Other> = {
  aarch64: {
    need: "arm64",
    loader: "ld-linux-aarch64.so.1",
    emulation: "aarch64linux",
    flags: ["-mbranch-protection=standard"],
  },
  riscv64: {
    need: "riscv64",
    loader: "ld-linux-riscv64-lp64d.so.1",
    emulation: "elf64lriscv",
    flags: ["-march=rv64gc", "-mabi=lp64d"],
  },
};

/** Compiles the probe for another machine with its libc, by lld. */
function compileFor(name: string, output: string, pie: boolean) {
  const { flags, emulation, loader } = machines[name] as Other;
  const cross = `/usr/${name}-linux-gnu`;
  const object = `${output}.o`;
  const source = path.join(checkout, "test/support/packed-probe.c");
  const include = ["-nostdlibinc", "-isystem", `${cross}/include`];
  execFileSync("clang-19", [
    ...[`--target=${name}-linux-gnu`, ...flags, ...include, "-O1", pie ? "-fPIE" : "-fno-pie"],
    ...["-c", source, "-o", object],
  ]);
  const crt = (file: string) => `${cross}/lib/${file}`;
  const link = [
    "ld.lld",
    "-m",
    emulation,
    pie ? "-pie" : "-no-pie",
    `-dynamic-linker=/lib/${loader}`,
  ];
  const objects = [crt(pie ? "Scrt1.o" : "crt1.o"), crt("crti.o"), object, crt("crtn.o")];
  execFileSync(zigPath(), [...link, ...objects, crt("libc.so.6"), "-o", output], { env: zigEnv() });
}

describe("a program of another machine", () => {
  for (const [name, { need, loader }] of Object.entries(machines)) {
    for (const pie of [true, false]) {
      const kind = pie ? "at any address" : "at a fixed address";
      skipUnless(need)(`starts by the libc beside it: ${name}, ${kind}`, async () => {
        const top = path.join(dir, `${name}-${pie}`);
        const libc = path.join(top, "lib/libc");
        mkdirSync(libc, { recursive: true });
        const from = (file: string) => readFileSync(`/usr/${name}-linux-gnu/lib/${file}`);
        writeFileSync(path.join(libc, loader), withoutHostFiles(from(loader), loader));
        const changed = await withPrivateVariables(from("libc.so.6"), "libc.so.6");
        writeFileSync(path.join(libc, "libc.so.6"), changed);
        execFileSync("cp", ["-r", "/usr/lib/locale", path.join(top, "locale")]);
        compileFor(name, built(`${name}-${pie}.plain`), pie);
        const file = path.join(top, "bin/program");
        await pack(built(`${name}-${pie}.plain`), file, {
          ...{ libc: "glibc", root: 1, loader: `lib/libc/${loader}`, libraries: ["lib/libc"] },
          ...{ locale: "locale", mode: "auto", versions: ["GLIBC_2.34"] },
        });
        const start = (env: Record<string, string>, ...args: string[]) =>
          run(`qemu-${name}-static`, [file, ...args], { env: { ...hostile, ...env } });
        const { status, stdout, stderr } = await start({ LD_PRELOAD: "" });
        expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
        expect(answersOf(stdout)).toMatchObject({ exe: file, name: file, vector: "yes" });
        const opened = await start({ LD_PRELOAD: "" }, "open", "libc.so.6");
        expect(answersOf(opened.stdout)).toEqual({ opened: `${libc}/libc.so.6` });
        const { stdout: named } = await start({ LD_PRELOAD: "", LANG: "C.UTF-8" });
        expect(answersOf(named)).toMatchObject({ locale: "C.UTF-8" });
      });
    }
  }
});

/** Runs a debugger's commands to their end. */
function gdb(args: readonly string[]) {
  return run("gdb", ["-nx", "-batch", ...args], { env: { DEBUGINFOD_URLS: "" } });
}

describe("a debugger", () => {
  const running = async (file: string): Promise<[ChildProcess, number]> => {
    const child = spawn(file, ["wait"], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(child.stdout, "data");
    return [child, Number(line)];
  };

  for (const [kind, flags] of Object.entries({ pie: [], fixed: ["-no-pie"] })) {
    skipUnless("gcc", "gdb")(`attaches to a program and sees all of it: ${kind}`, async () => {
      const tree = await PackedTree.make(path.join(dir, `debugged-${kind}`));
      const plain = compileProgram("packed-program.cc", built(kind), ["-g", "-pthread", ...flags]);
      const file = await tree.add(plain, "bin/program");
      const [child, pid] = await running(file);
      try {
        const commands = ["info sharedlibrary", "thread apply all backtrace", "info symbol pause"];
        const { stdout } = await gdb(["-p", `${pid}`, ...commands.flatMap((one) => ["-ex", one])]);
        for (const name of ["libc.so.6", "libstdc++.so.6", "ld-linux-x86-64.so.2"]) {
          expect(stdout).toMatch(
            new RegExp(`Yes .*${tree.root}/lib/libc/${name.replace("++", "..")}`),
          );
        }
        expect(stdout).toMatch(/Thread 2 [\s\S]*pause/);
        expect(stdout).toMatch(/main \(.*packed-program\.cc:\d+/);
        expect(stdout).toMatch(`pause in section .text of ${tree.root}/lib/libc/libc.so.6`);
        // Whatever is executed comes from a file.
        const maps = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
        const executed = maps.filter((line) => /^\S+ ..x. /.test(line)).map((l) => l.slice(73));
        const foreign = executed.filter((at) => !at.startsWith(tree.root) && !/^\[v/.test(at));
        expect(foreign).toEqual([]);
        expect(maps.filter((line) => / .wx. /.test(line))).toEqual([]);
      } finally {
        child.kill("SIGKILL");
      }
    });
  }

  skipUnless("gcc", "gdb")("starts a program, and stops in its libraries", async () => {
    const tree = await PackedTree.make(path.join(dir, "started"));
    const plain = compileProgram("packed-program.cc", built("stopped"), ["-g", "-pthread"]);
    const file = await tree.add(plain, "bin/program");
    const commands = [
      "set breakpoint pending on",
      "break answer",
      "run",
      "info sharedlibrary",
      "bt",
    ];
    const { stdout } = await gdb([...commands.flatMap((one) => ["-ex", one]), file]);
    expect(stdout).toMatch(/Breakpoint 1, .*answer/);
    expect(stdout).toMatch(`${tree.root}/lib/libc/libc.so.6`);
  });
});

describe("an ordinary user", () => {
  skipUnless("gcc")("starts a program that belongs to another", async () => {
    const tree = await PackedTree.make(path.join(dir, "shared"));
    const file = await tree.add(
      compileProgram("packed-probe.c", built("everyone's")),
      "bin/program",
    );
    execFileSync("chmod", ["-R", isRoot ? "go-w" : "u+w", tree.root]);
    const { status, stdout, stderr } = await asUser(file, [], dir);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(answersOf(stdout)).toMatchObject({ exe: file });
  });
});
