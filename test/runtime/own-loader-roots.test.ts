/** Programs with a libc of their own, on systems that have none, another one, or one that is too old. */
import { chmodSync, readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { BareRoot, enterRoot } from "../support/bare-root.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { answersOf, compileProgram, hostLibrary, PackedTree } from "../support/packed-libc.ts";
import { ordinaryUser } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const LOADER = "/lib64/ld-linux-x86-64.so.2";
const here = path.dirname(process.arch === "x64" ? hostLibrary("libc.so.6") : "");

let dir = "";
let enter = "";
const built = (name: string) => path.join(dir, name);

/** A root with the programs in /app, and what `fill` puts there. */
async function rootWith(name: string, fill: (root: BareRoot) => void = () => {}) {
  const root = new BareRoot(path.join(dir, name), enter);
  const tree = await PackedTree.make(path.join(root.top, "app"));
  await tree.add(built("program"), "bin/program");
  await tree.add(built("probe"), "bin/probe", { mode: "auto" });
  fill(root);
  return { root, tree };
}

beforeAll(() => {
  if (missing("gcc") !== undefined || missing("root") !== undefined) return;
  dir = temporaryDirectory();
  chmodSync(dir, 0o755);
  enter = enterRoot(dir);
  compileProgram("packed-program.cc", built("program"), ["-pthread", "-rdynamic"]);
  compileProgram("packed-probe.c", built("probe"));
});

const users = [0, ordinaryUser().uid];

describe("on a system with", () => {
  const systems: Record<string, { fill: (root: BareRoot) => void; shell: string }> = {
    nothing: { fill: () => {}, shell: "" },
    "busybox and nothing else": {
      fill: (root) => root.add("/usr/bin/busybox", "/bin/sh"),
      shell: "says 42 []",
    },
    "musl and busybox": {
      fill: (root) => {
        root.add("/usr/bin/busybox", "/bin/sh");
        root.add("/lib/ld-musl-x86_64.so.1");
        // As gcompat: glibc's name, no libc.so.6 beside it.
        root.link("../lib/ld-musl-x86_64.so.1", LOADER);
      },
      shell: "says 42 []",
    },
    "another libc.so.6 beside the dynamic linker, that defines no version": {
      fill: (root) => {
        root.add(path.join(here, "ld-linux-x86-64.so.2"), LOADER);
        compileProgram("packed-probe.c", path.join(root.top, "lib64/libc.so.6"), [
          ...["-DLIBRARY", "-shared", "-fPIC"],
        ]);
      },
      shell: "",
    },
    "name services that are not packed": {
      fill: (root) => {
        const lines = [
          "passwd: files systemd sss",
          "hosts: files mymachines resolve [!UNAVAIL=return] dns",
        ];
        root.write("/etc/nsswitch.conf", `${lines.join("\n")}\n`);
      },
      shell: "",
    },
    "a libc.so.6 that is a text": {
      fill: (root) => {
        root.add(path.join(here, "ld-linux-x86-64.so.2"), LOADER);
        root.write("/lib64/libc.so.6", "OUTPUT_FORMAT(elf64-x86-64)\n".repeat(100));
      },
      shell: "",
    },
  };
  for (const [index, [title, { fill, shell }]] of Object.entries(systems).entries()) {
    skipUnless(
      "gcc",
      "root",
      "busybox",
      "musl",
    )(`${title}`, async () => {
      const { root } = await rootWith(`system-${index}`, fill);
      for (const uid of users) {
        const { status, stdout, stderr } = await root.start(uid, "/app/bin/program");
        expect({ status, stderr: stderr.replace(/^sh: .*\n/gm, "") }).toEqual({
          status: 0,
          stderr: "",
        });
        expect(answersOf(stdout)).toMatchObject({
          ...{ exe: "/app/bin/program", libc: "/app/lib/libc/libc.so.6", constructor: "the same" },
          ...{ threads: "111", dlopen: "ok", named: "ok", passwd: "root", backtrace: "1" },
          ...{ "ISO-8859-1": "ä", "C.UTF-8": "C.UTF-8 UTF-8", child: "42", vector: "1" },
          ...(shell !== "" && { shell }),
        });
        // The other one decides at start.
        const probe = await root.start(uid, "/app/bin/probe", [], { env: { LANG: "C.UTF-8" } });
        expect(probe).toMatchObject({ status: 0, stderr: "" });
        expect(answersOf(probe.stdout)).toMatchObject({ exe: "/app/bin/probe", locale: "C.UTF-8" });
      }
    });
  }
});

/** A root with this machine's libc, as distributions lay it out. */
const layouts: Record<string, (root: BareRoot) => void> = {
  "Debian's": (root) => {
    for (const name of ["ld-linux-x86-64.so.2", "libc.so.6"]) root.add(path.join(here, name));
    root.link(path.join(here, "ld-linux-x86-64.so.2"), LOADER);
  },
  "Debian's older one, where the dynamic linker's name is a relative link of a link": (root) => {
    root.add(path.join(here, "libc.so.6"), "/lib/x86_64-linux-gnu/libc.so.6");
    root.add(path.join(here, "ld-linux-x86-64.so.2"), "/lib/x86_64-linux-gnu/ld-2.0.so");
    root.link("ld-2.0.so", "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
    root.link("../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", LOADER);
  },
  "Fedora's": (root) => {
    root.add(path.join(here, "ld-linux-x86-64.so.2"), "/usr/lib64/ld-linux-x86-64.so.2");
    root.add(path.join(here, "libc.so.6"), "/usr/lib64/libc.so.6");
    root.link("usr/lib64", "/lib64");
    root.link("/usr/lib64", "/lib/x86_64-linux-gnu"); // where this dynamic linker looks
  },
  "Arch's": (root) => {
    root.add(path.join(here, "ld-linux-x86-64.so.2"), "/usr/lib/ld-linux-x86-64.so.2");
    root.add(path.join(here, "libc.so.6"), "/usr/lib/libc.so.6");
    root.link("lib", "/usr/lib64");
    root.link("usr/lib64", "/lib64");
  },
};

describe("the host's libc is taken", () => {
  const libcOf = (stdout: string) => answersOf(stdout)["opened"];

  for (const [index, [title, fill]] of Object.entries(layouts).entries()) {
    skipUnless("gcc", "root")(`where it is new enough, and only there: ${title}`, async () => {
      const { root, tree } = await rootWith(`layout-${index}`, fill);
      const real = readFileSync(path.join(here, "libc.so.6"));
      const abi = real.includes("GLIBC_ABI_DT_RELR") ? ["GLIBC_ABI_DT_RELR"] : [];
      for (const [versions, mode, env, packed] of [
        [["GLIBC_2.2.5"], "auto", {}, false],
        [["GLIBC_2.34", ...abi], "auto", {}, false],
        [["GLIBC_2.99"], "auto", {}, true],
        [["GLIBC_2.2.5", "GLIBC_ABI_OF_THE_FUTURE"], "auto", {}, true],
        [["GLIBC_2.2.5"], "pack", {}, true],
        [["GLIBC_2.2.5"], "pack", { FUSELAGE_LIBC: "host" }, false],
        [["GLIBC_2.2.5"], "pack", { FUSELAGE_LIBC: "auto" }, false],
        [["GLIBC_2.2.5"], "auto", { FUSELAGE_LIBC: "packed" }, true],
        [["GLIBC_2.2.5"], "auto", { FUSELAGE_LIBC: "auto" }, false],
        [["GLIBC_2.2.5"], "auto", { FUSELAGE_LIBC: "" }, false],
        [["GLIBC_2.99"], "auto", { FUSELAGE_LIBC: "host" }, false],
      ] as const) {
        await tree.add(built("probe"), "bin/asked", { mode, versions });
        const { stdout } = await root.start(1000, "/app/bin/asked", ["open", "libc.so.6"], { env });
        const place = libcOf(stdout)?.startsWith("/app/lib/libc/");
        expect({ versions, mode, env, packed: place }).toEqual({ versions, mode, env, packed });
      }
    });
  }

  skipUnless(
    "gcc",
    "root",
    "busybox",
  )("without /proc too", async () => {
    for (const [index, fill] of Object.values(layouts).entries()) {
      const { root } = await rootWith(`unmounted-${index}`, fill);
      root.add("/usr/bin/busybox", "/bin/sh");
      const script = "umount -l /proc && exec /app/bin/probe open libc.so.6";
      const { stdout } = await root.start(0, "/bin/sh", ["-c", script]);
      expect(libcOf(stdout)).not.toMatch(/^\/app/);
      expect(libcOf(stdout)).toMatch(/libc\.so\.6$/);
    }
  });
});

describe("locales of a packed libc", () => {
  const locale = async (root: BareRoot, env: Record<string, string>) =>
    answersOf((await root.start(0, "/app/bin/probe", [], { env })).stdout)["locale"];

  skipUnless("gcc", "root")(
    "are the host's where it has C.UTF-8, else the packed ones",
    async () => {
      const { root, tree } = await rootWith("locales");
      expect(await locale(root, { LANG: "C.UTF-8" })).toBe("C.UTF-8");
      expect(await locale(root, { LC_ALL: "C.UTF-8" })).toBe("C.UTF-8");
      expect(await locale(root, { LANG: "xx_XX.UTF-8" })).toBe("(none)");
      // The host's own, under a name that nobody packs.
      root.add("/usr/lib/locale/C.utf8/", "/usr/lib/locale/xx_XX.utf8");
      root.add("/usr/lib/locale/C.utf8/", "/usr/lib/locale/C.utf8");
      expect(await locale(root, { LANG: "xx_XX.UTF-8" })).toBe("xx_XX.UTF-8");
      await tree.add(built("probe"), "bin/probe", { mode: "pack", locale: undefined });
      expect(await locale(root, { LANG: "C.UTF-8" })).toBe("C.UTF-8");
    },
  );

  skipUnless("gcc", "root")(
    "are the host's where it has an archive that the user names",
    async () => {
      const { root } = await rootWith("archive");
      root.write("/usr/lib/locale/locale-archive", "no archive");
      // Named, so the packed one is not asked, and what cannot be read is refused without harm.
      expect(await locale(root, { LANG: "de_DE.UTF-8" })).toBe("(none)");
      expect(await locale(root, { LANG: "C.UTF-8" })).toBe("C.UTF-8");
      expect(await locale(root, {})).toBe("C");
    },
  );
});
