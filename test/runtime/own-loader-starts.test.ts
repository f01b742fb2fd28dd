/** Programs with a libc of their own, started in all the ways that there are, and by other linkers' work. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { readElfBytes } from "../../builder/elf/read.ts";
import { zigEnv, zigPath } from "../../scripts/build/zig.mjs";
import { missing, skipUnless } from "../support/needs.ts";
import { answersOf, compileProgram, PackedTree } from "../support/packed-libc.ts";
import { ordinaryUser, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let dir = "";
let tree: PackedTree;
/** The probe, in the tree. */
let probe = "";
let oddly = "";

const built = (name: string) => path.join(dir, name);
/** Variables that name files of the host's libc, as a user has them. */
const hostile = {
  LD_LIBRARY_PATH: "/nowhere/of/the/user",
  LD_PRELOAD: "/nowhere/preloaded.so",
  LD_AUDIT: "/nowhere/audit.so",
  LANG: "C.UTF-8",
};

/** Compiles the probe with more flags, and puts it into the tree. */
async function packedProbe(name: string, flags: readonly string[] = []): Promise<string> {
  compileProgram("packed-probe.c", built(name), flags);
  return tree.add(built(name), `bin/${name}`);
}

/** A folder whose `ld` is lld, for -B of gcc. */
function lldFolder(): string {
  const folder = path.join(dir, "lld");
  mkdirSync(folder, { recursive: true });
  const variables = Object.entries(zigEnv()).filter(([name]) => name.startsWith("ZIG_"));
  const words = variables.map(([name, value]) => `${name}='${value}'`).join(" ");
  const script = `#!/bin/sh\n${words} exec ${zigPath()} ld.lld "$@"\n`;
  writeFileSync(path.join(folder, "ld"), script, { mode: 0o755 });
  return folder;
}

beforeAll(async () => {
  if (missing("gcc") !== undefined || process.arch !== "x64") return;
  dir = temporaryDirectory();
  chmodSync(dir, 0o755);
  tree = await PackedTree.make(path.join(dir, "app"));
  probe = await packedProbe("probe");
  oddly = compileProgram("start-oddly.c", built("oddly"));
  const library = path.join(tree.root, "lib/libc/libearly.so");
  compileProgram("packed-probe.c", library, ["-DLIBRARY", "-shared", "-fPIC"]);
});

/** The digest of an environment that the probe prints, by a plain program. */
async function digestOf(env: Record<string, string | undefined>) {
  const plain = { ...env, LD_PRELOAD: undefined, LD_AUDIT: undefined };
  return answersOf((await run(built("probe"), [], { env: plain })).stdout)["main"];
}

describe("the environment", () => {
  const linkers: Record<string, () => string[]> = {
    "GNU ld": () => [],
    "lld, which leaves no free entries": () => [`-B${lldFolder()}`],
    "lld, whose dynamic section is read-only": () => [`-B${lldFolder()}`, "-Wl,-z,rodynamic"],
    "GNU ld without free entries": () => ["-Wl,--spare-dynamic-tags=0"],
    "GNU ld, at a fixed address": () => ["-no-pie"],
  };
  for (const [index, [linker, flags]] of Object.entries(linkers).entries()) {
    skipUnless("gcc")(
      `is the caller's for constructors, main and children: ${linker}`,
      async () => {
        const file = await packedProbe(`linked-${index}`, [
          ...["-DWITH_LIBRARY", "-L", path.join(tree.root, "lib/libc"), "-learly"],
          ...flags(),
        ]);
        const { status, stdout, stderr } = await run(file, [], { env: hostile });
        expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
        const seen = answersOf(stdout);
        expect(seen).toMatchObject({ linked: "42", exe: file });
        // The library's constructor has changed what main and its children see, and nothing else has.
        const changed = await run(probe, [], { env: { ...hostile, ADDED_BY_LIBRARY: "1" } });
        const expected = answersOf(changed.stdout);
        expect(seen["library"]).toBe(
          answersOf((await run(probe, [], { env: hostile })).stdout)["main"],
        );
        expect(seen["main"]?.split(" ")[0]).toBe(expected["main"]?.split(" ")[0]);
        expect(seen["child"]).toBe(seen["main"]);
      },
    );
  }

  skipUnless("gcc")("is the caller's byte for byte", async () => {
    const env = { ...hostile, LD_PRELOAD: undefined, LD_AUDIT: undefined };
    const packed = answersOf((await run(probe, [], { env })).stdout);
    expect(packed["main"]).toBe(await digestOf(env));
    expect(packed).toMatchObject({ vector: "yes", child: packed["main"] });
  });

  skipUnless("gcc")("is right for a program with functions before constructors", async () => {
    const file = await packedProbe("early", ["-DEARLY"]);
    const { stdout, stderr } = await run(file, ["x", "y", "z"], { env: hostile });
    const [variables] = answersOf(stdout)["main"]?.split(" ") ?? [];
    expect(stderr).toBe("");
    expect(answersOf(stdout)["early"]).toBe(`4 arguments, ${variables} variables`);
  });

  skipUnless("gcc")("names folders of the user's, which come behind the packed ones", async () => {
    const folder = path.join(dir, "of-the-user");
    mkdirSync(folder);
    compileProgram("packed-probe.c", path.join(folder, "libuser.so"), ["-DLIBRARY", "-shared"]);
    writeFileSync(path.join(folder, "libm.so.6"), "no library");
    const env = { LD_LIBRARY_PATH: folder };
    const open = async (name: string) =>
      answersOf((await run(probe, ["open", name], { env })).stdout)["opened"];
    expect(await open("libuser.so")).toBe(`${folder}/libuser.so`);
    expect(await open("libm.so.6")).toBe(`${tree.root}/lib/libc/libm.so.6`);
    // What only the host's libc finds is not found: it belongs to that one.
    expect(await open("libcrypt.so.1")).toMatch(/cannot open shared object file/);
  });
});

describe("a start", () => {
  const ways = [
    ...["descriptor", "no-arguments", "argc-0", "empty", "many", "huge", "long"],
    ...["small-stack", "tiny-stack", "full", "closed"],
  ];
  for (const way of ways) {
    skipUnless("gcc")(`is as every other: ${way}`, async () => {
      const { status, stdout, stderr } = await run(oddly, [way, probe], { env: hostile });
      // LD_PRELOAD is for the tool, too, whose dynamic linker says that it is not there.
      expect(stderr.replace(/^ERROR: ld\.so: .*\n/gm, "").replace(/^.*audit.*\n/gm, "")).toBe("");
      expect(status).toBe(0);
      const seen = answersOf(stdout);
      expect(seen).toMatchObject({ exe: probe, vector: "yes" });
      if (way === "many") expect(seen["arguments"]).toBe("7000");
      if (way === "argc-0") expect(seen).toMatchObject({ arguments: "0", name: "(none)" });
      if (way === "huge") expect(seen["main"]).toMatch(/^200000 /);
      expect(seen["child"]).toBe(seen["main"]);
    });
  }

  skipUnless("gcc", "root")("needs no /proc", async () => {
    const shell = (script: string, cwd = "/") => {
      const hidden = `mount -t tmpfs none /proc && ${script}`;
      return run("unshare", ["--mount", "sh", "-c", hidden], { cwd, env: { LANG: "C" } });
    };
    const link = path.join(dir, "link-to-probe");
    symlinkSync("app/bin/probe", link);
    symlinkSync("link-to-probe", path.join(dir, "second-link"));
    for (const [command, cwd] of [
      [probe, "/"],
      [path.join(dir, "second-link"), "/"],
      ["./probe", path.dirname(probe)],
      ["bin/../bin/probe", tree.root],
      ["PATH=. exec probe", path.dirname(probe)],
    ] as const) {
      const { status, stdout, stderr } = await shell(command, cwd);
      expect({ command, status, stderr }).toEqual({ command, status: 0, stderr: "" });
      expect(stdout, command).toContain("exe (none)\n");
    }
  });

  skipUnless("gcc", "root")("finds what a search path calls $ORIGIN without /proc", async () => {
    const folder = path.join(tree.root, "lib/bundled");
    mkdirSync(folder);
    compileProgram("packed-probe.c", path.join(folder, "libbeside.so"), ["-DLIBRARY", "-shared"]);
    const rpath = ["-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib/bundled"];
    const file = await packedProbe("origin", rpath);
    for (const libc of ["packed", "host"]) {
      const start = `mount -t tmpfs none /proc && exec ${file} open libbeside.so`;
      const env = { FUSELAGE_LIBC: libc };
      const { stdout } = await run("unshare", ["--mount", "sh", "-c", start], { env });
      const opened = `${tree.root}/bin/../lib/bundled/libbeside.so`;
      expect(answersOf(stdout)).toMatchObject({ opened });
    }
  });

  const odd: Record<string, string[]> = {
    "whose stack is executable": ["-Wl,-z,execstack"],
    "with pages of 2 MiB": ["-Wl,-z,max-page-size=0x200000"],
    "with code and headers in one segment": ["-Wl,-z,noseparate-code"],
    "without a build ID, stripped": ["-Wl,--build-id=none", "-s"],
    "with all relocations done at the start": ["-Wl,-z,now"],
    "with packed relocations": ["-Wl,-z,pack-relative-relocs"],
  };
  for (const [index, [title, flags]] of Object.entries(odd).entries()) {
    skipUnless("gcc")(`works for a program ${title}`, async () => {
      const file = await packedProbe(`odd-${index}`, flags);
      const { status, stdout } = await run(file, [], { env: hostile });
      expect(status).toBe(0);
      expect(answersOf(stdout)).toMatchObject({ exe: file, vector: "yes" });
    });
  }
});

describe("a program", () => {
  skipUnless("gcc")("may have no section headers", async () => {
    compileProgram("packed-probe.c", built("whole"), ["-s"]);
    const bytes = readFileSync(built("whole"));
    const { endOffset, sectionTable } = await readElfBytes(bytes, "whole");
    const loads = (await readElfBytes(bytes, "whole")).programs.filter(({ type }) => type === 1);
    const end = Math.max(...loads.map(({ offset, fileSize }) => offset + fileSize));
    expect(end).toBeLessThan(sectionTable.offset);
    expect(endOffset).toBe(bytes.length);
    const cut = Buffer.from(bytes.subarray(0, end));
    cut.fill(0, 40, 48); // e_shoff
    cut.fill(0, 58, 64); // e_shentsize, e_shnum, e_shstrndx
    writeFileSync(built("sectionless"), cut, { mode: 0o755 });
    const file = await tree.add(built("sectionless"), "bin/sectionless");
    expect(answersOf((await run(file, [])).stdout)).toMatchObject({ exe: file, vector: "yes" });
  });

  skipUnless("gcc", "strace")("makes only calls that a dynamic linker makes", async () => {
    const allowed = /^(execve|readlinkat|openat|pread64|mmap|close|faccessat)\(/;
    for (const libc of ["packed", "host", "auto"]) {
      const file = await tree.add(built("probe"), `bin/traced-${libc}`, { mode: "auto" });
      const trace = built(`trace-${libc}`);
      const env = { FUSELAGE_LIBC: libc };
      expect((await run("strace", ["-o", trace, file], { env })).status).toBe(0);
      const lines = readFileSync(trace, "utf8").split("\n");
      // The first call of glibc's own.
      const ours = lines.slice(
        0,
        lines.findIndex((line) => line.startsWith("brk(")),
      );
      expect(ours.length).toBeGreaterThan(5);
      expect(ours.filter((line) => !allowed.test(line))).toEqual([]);
      // Nothing stays open, and nothing is mapped to be written and executed.
      expect(ours.join("\n")).not.toMatch(/PROT_WRITE\|PROT_EXEC/);
      const count = (call: string) => ours.filter((line) => line.startsWith(call)).length;
      expect(count("close(")).toBe(count("openat("));
    }
  });

  skipUnless("gcc")("may watch its memory", async () => {
    const source = "#include <stdlib.h>\nint main(void) { free(malloc(3)); return 7; }\n";
    for (const sanitizer of ["address", "thread"]) {
      compileProgram(source, built(sanitizer), [
        `-fsanitize=${sanitizer}`,
        `-static-lib${sanitizer[0]}san`,
      ]);
      const file = await tree.add(built(sanitizer), `bin/${sanitizer}`);
      expect(await run(file, []), sanitizer).toMatchObject({ status: 7, stderr: "" });
    }
  });
});

describe("a start fails with a reason", () => {
  const failed = async (file: string, env = {}) => {
    const { status, stdout, stderr } = await run(file, [], { env });
    expect({ status, stdout }).toEqual({ status: 127, stdout: "" });
    return stderr;
  };

  skipUnless("gcc")("without the packed dynamic linker", async () => {
    const file = await tree.add(built("probe"), "bin/lost", { loader: "lib/gone/ld.so" });
    const place = path.join(tree.root, "lib/gone/ld.so");
    expect(await failed(file)).toMatch(`fuselage: [E_LOADER_MISSING] ${place}\n  `);
  });

  skipUnless("gcc")("with a damaged one", async () => {
    const loader = readFileSync(path.join(tree.root, "lib/libc/ld-linux-x86-64.so.2"));
    const other = Buffer.from(loader);
    other.writeUInt16LE(183, 18);
    const short = loader.subarray(0, loader.length / 2);
    for (const bytes of [short, loader.subarray(0, 100), Buffer.from("text"), other]) {
      writeFileSync(path.join(tree.root, "lib/damaged.so"), bytes);
      const file = await tree.add(built("probe"), "bin/broken", { loader: "lib/damaged.so" });
      expect(await failed(file)).toMatch("fuselage: [E_LOADER_MALFORMED] ");
    }
  });

  skipUnless("gcc")("where the host has none, and it is asked for", async () => {
    const bytes = readFileSync(built("probe"));
    const at = bytes.indexOf("/lib64/ld-linux-x86-64.so.2");
    bytes.write("/lib64/ld-linux-x86-65.so.2", at);
    writeFileSync(built("elsewhere"), bytes);
    const file = await tree.add(built("elsewhere"), "bin/elsewhere", { mode: "auto" });
    expect(answersOf((await run(file, [])).stdout)["exe"]).toBe(file);
    const said = await failed(file, { FUSELAGE_LIBC: "host" });
    expect(said).toMatch("[E_LOADER_MISSING] the host has no /lib64/ld-linux-x86-65.so.2\n  ");
  });

  skipUnless(
    "gcc",
    "root",
    "setcap",
  )("with rights that its caller has not", async () => {
    const file = await packedProbe("privileged");
    chmodSync(file, 0o4755);
    const { status, stderr } = await run(file, [], ordinaryUser());
    expect(status).toBe(127);
    expect(stderr).toMatch(`fuselage: [E_LOADER_SET_ID] ${file}\n  `);
    chmodSync(file, 0o755);
    execFileSync("setcap", ["cap_net_bind_service+ep", file]);
    expect((await run(file, [], ordinaryUser())).stderr).toMatch("[E_LOADER_SET_ID]");
  });
});
