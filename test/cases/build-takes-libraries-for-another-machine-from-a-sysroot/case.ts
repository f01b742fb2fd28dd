import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { expect } from "vitest";
import { readDynamic } from "../../../builder/elf/dynamic.ts";
import type { Case } from "../../support/case.ts";
import { bundle, root } from "../../support/process.ts";

/** No libc in it: nothing of that machine is needed to compile this. */
const program = "int answer(void); void _start(void) { for (;;) answer(); }\n";

export default {
  async prepare(cwd) {
    const { zigEnv, zigPath } = await import(path.join(root, "scripts/build/toolchain.mjs"));
    const target = ["cc", "-target", "aarch64-linux-gnu", "-nostdlib"];
    const zig = (...args: string[]) =>
      execFileSync(zigPath(), [...target, ...args], { cwd, env: zigEnv() });
    for (const folder of ["etc", "opt/lib", "usr/lib"]) {
      mkdirSync(path.join(cwd, "root", folder), { recursive: true });
    }
    writeFileSync(path.join(cwd, "root/etc/ld.so.conf"), "/opt/lib\n");
    writeFileSync(path.join(cwd, "answer.c"), "int answer(void) { return 42; }\n");
    writeFileSync(path.join(cwd, "main.c"), program);
    // First in the order, but no library for that machine: passed by, as ld.so does.
    writeFileSync(path.join(cwd, "root/opt/lib/libanswer.so"), "text\n");
    const library = "root/usr/lib/libanswer.so";
    zig("-shared", "-Wl,-soname,libanswer.so", "-o", library, "answer.c");
    zig("-pie", "main.c", library, "-Wl,-dynamic-linker,/lib/ld-linux-aarch64.so.1", "-o", "prog");
  },
  args: ["build", "prog", "-o", "out", "--arch", "arm64", "--sysroot", "root", "--with-libs"],
  async check(cwd) {
    expect(await bundle(["extract", "out", "-d", "unpacked"], { cwd })).toMatchObject({
      status: 0,
    });
    const file = path.join(cwd, "unpacked/bin/prog");
    const handle = await open(file);
    const facts = await readDynamic(handle, file).finally(() => handle.close());
    expect(facts).toMatchObject({
      rpath: ["$ORIGIN/../lib/bundled"],
      needed: ["libanswer.so"],
      elf: { machine: 183 },
    });
    const listed = await bundle(["inspect", "out", "--list"], { cwd });
    expect(listed.stdout).toContain("lib/bundled/libanswer.so");
  },
} satisfies Case;
