/** A sysroot whose links are absolute: they lead to its own files, never to those of this machine. */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { missing, skipUnless } from "../support/needs.ts";
import { hostLibrary } from "../support/packed-libc.ts";
import { bundle, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const check = skipUnless("gcc");
const FOLDER = "usr/lib/x86_64-linux-gnu";
const LOADER = "ld-linux-x86-64.so.2";
const LOCALE = "usr/lib/locale/C.utf8";

let dir: string;
beforeAll(() => {
  if (missing("gcc") !== undefined) return;
  dir = temporaryDirectory();
  writeFileSync(path.join(dir, "own.c"), 'const char *own(void) { return "sysroot"; }\n');
  writeFileSync(path.join(dir, "theirs.c"), 'const char *own(void) { return "this machine"; }\n');
  writeFileSync(
    path.join(dir, "main.c"),
    "#include <stdio.h>\nconst char *own(void);\nint main(void) { puts(own()); return 0; }\n",
  );
  const cc = (...args: string[]) => execFileSync("cc", args, { cwd: dir });
  for (const name of ["own", "theirs"]) {
    cc("-shared", "-fPIC", "-Wl,-soname,libown.so.1", "-o", `lib${name}.so`, `${name}.c`);
  }
  cc("-o", "main", "main.c", "libown.so");
});

/** A folder like the root of a machine, with some files at other places than their names say. */
function sysrootOf(links: Record<string, string> = {}): string {
  const root = path.join(temporaryDirectory(), "root");
  for (const folder of [FOLDER, LOCALE, "lib64", "store", `${FOLDER}/gconv`]) {
    mkdirSync(path.join(root, folder), { recursive: true });
  }
  symlinkSync("/usr/lib", path.join(root, "lib"));
  copyFileSync(hostLibrary("libc.so.6"), path.join(root, FOLDER, "libc.so.6"));
  for (const name of ["libm.so.6", "libgcc_s.so.1"]) {
    copyFileSync(hostLibrary(name), path.join(root, "store", name));
    symlinkSync(`/store/${name}`, path.join(root, FOLDER, name));
  }
  copyFileSync(hostLibrary(LOADER), path.join(root, "store", LOADER));
  symlinkSync(`/store/${LOADER}`, path.join(root, "lib64", LOADER));
  symlinkSync(`/store/${LOADER}`, path.join(root, FOLDER, LOADER));
  copyFileSync(path.join(dir, "libown.so"), path.join(root, "store/libown.so.1"));
  symlinkSync("/store/libown.so.1", path.join(root, FOLDER, "libown.so.1"));
  writeFileSync(path.join(root, "store/LC_TIME"), "times of the sysroot\n");
  symlinkSync("/store/LC_TIME", path.join(root, LOCALE, "LC_TIME"));
  for (const [at, target] of Object.entries(links)) {
    rmSync(path.join(root, at), { force: true });
    symlinkSync(target, path.join(root, at));
  }
  return root;
}

async function built(sysroot: string, ...more: string[]) {
  const output = path.join(temporaryDirectory(), "main.run");
  const libc = ["--libc", "pack", "--with-libs", "--sysroot", sysroot];
  const outcome = await bundle(["build", path.join(dir, "main"), "-o", output, ...libc, ...more]);
  return { output, ...outcome };
}

describe("links of a sysroot", () => {
  check("lead to its own files", async () => {
    const { output, status, stderr } = await built(sysrootOf());
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(await run(output, [])).toMatchObject({ status: 0, stdout: "sysroot\n" });
    const out = path.join(temporaryDirectory(), "out");
    expect(await bundle(["extract", output, "-d", out])).toMatchObject({ status: 0 });
    const time = readFileSync(path.join(out, "lib/libc/locale/C.utf8/LC_TIME"), "utf8");
    expect(time).toBe("times of the sysroot\n");
  });

  const secret = "a file of this machine\n";
  const leads: [string, string, string, string[]][] = [
    ["a locale", `${LOCALE}/LC_TIME`, "secret", []],
    ["a module of iconv", `${FOLDER}/gconv/ODD.so`, "secret", ["--gconv", "all"]],
    ["a library", `${FOLDER}/libown.so.1`, "libtheirs.so", []],
    ["a library by ..", `${FOLDER}/libown.so.1`, "..", []],
    ["the libc", `${FOLDER}/libc.so.6`, "libc.so.6", []],
  ];
  for (const [title, at, name, more] of leads) {
    check(`lead to none of this machine's: ${title}`, async () => {
      const outside = temporaryDirectory();
      writeFileSync(path.join(outside, "secret"), secret);
      copyFileSync(path.join(dir, "libtheirs.so"), path.join(outside, "libtheirs.so"));
      copyFileSync(hostLibrary("libc.so.6"), path.join(outside, "libc.so.6"));
      const target =
        name === ".."
          ? `${"../".repeat(20)}${path.join(outside, "libtheirs.so").slice(1)}`
          : path.join(outside, name);
      const root = sysrootOf({ [at]: target });
      const table = "module\tINTERNAL\tODD//\tODD\t1\n";
      writeFileSync(path.join(root, FOLDER, "gconv/gconv-modules"), table);
      const { output, status, stderr } = await built(root, ...more);
      expect({ status, stderr }).toEqual({
        status: expect.any(Number),
        stderr: expect.stringMatching(
          /^bundle: \[E_(FILE_UNREADABLE|LIBRARY_MISSING|LIBC_MISSING)\] /,
        ),
      });
      expect(existsSync(output)).toBe(false);
    });
  }

  check("and names with a slash in the table of iconv name nothing", async () => {
    const root = sysrootOf();
    writeFileSync(path.join(root, "../secret.so"), secret);
    const up = "../".repeat(FOLDER.split("/").length + 2);
    const table = `module INTERNAL ODD// ${up}secret 1\nmodule ODD// INTERNAL ${up}secret 1\n`;
    writeFileSync(path.join(root, FOLDER, "gconv/gconv-modules"), table);
    const { output, status, stderr } = await built(root, "--gconv", "all");
    expect({ status, stderr }).toMatchObject({ status: 0 });
    const { stdout } = await bundle(["inspect", "--list", output]);
    expect(stdout).toContain("lib/libc");
    expect(stdout).not.toContain("secret");
  });

  check("a folder that is a link is one of its own", async () => {
    const root = sysrootOf();
    cpSync(path.join(root, LOCALE), path.join(root, "store/C.utf8"), {
      recursive: true,
      verbatimSymlinks: true,
    });
    rmSync(path.join(root, LOCALE), { recursive: true });
    symlinkSync("/store/C.utf8", path.join(root, LOCALE));
    const { output, status } = await built(root);
    expect(status).toBe(0);
    const { stdout } = await bundle(["inspect", "--list", output]);
    expect(stdout).toContain("lib/libc/locale/C.utf8/LC_TIME");
  });

  for (const at of [
    "etc/ld.so.conf",
    "etc/ld.so.conf.d/own.conf",
    `${FOLDER}/libown.so.1`,
    `${FOLDER}/libc.so.6`,
    `${FOLDER}/gconv/gconv-modules`,
    `${FOLDER}/gconv/gconv-modules.d/own.conf`,
  ]) {
    check(`a fifo in the place of ${at} is not waited for`, async () => {
      const root = sysrootOf();
      const file = path.join(root, at);
      mkdirSync(path.dirname(file), { recursive: true });
      if (at.endsWith(".d/own.conf")) {
        const before = at.startsWith("etc") ? "include /etc/ld.so.conf.d/*.conf\n" : "";
        writeFileSync(path.dirname(file).slice(0, -2), before);
      }
      rmSync(file, { force: true });
      execFileSync("mkfifo", [file]);
      // It has no writer, ever: what waits for one is ended by nothing else.
      const { status } = await built(root, ...(at.includes("gconv") ? ["--gconv", "all"] : []));
      expect(status).toBe(at.startsWith("etc") ? 0 : 1);
    });
  }
});
