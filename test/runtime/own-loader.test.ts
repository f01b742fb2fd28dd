/** Programs that start by a libc beside them: what they see is what they would see without. */
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { missing, skipUnless } from "../support/needs.ts";
import { answersOf, compileProgram, PackedTree } from "../support/packed-libc.ts";
import { run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let dir = "";
let tree: PackedTree;

const built = (name: string) => path.join(dir, name);

beforeAll(async () => {
  if (missing("gcc") !== undefined || process.arch !== "x64") return;
  dir = temporaryDirectory();
  mkdirSync(dir, { recursive: true });
  tree = await PackedTree.make(path.join(dir, "app"));
  compileProgram("packed-program.cc", built("pie"), ["-pthread", "-rdynamic"]);
  compileProgram("packed-program.cc", built("fixed"), ["-pthread", "-no-pie"]);
});

describe("a program with a libc of its own", () => {
  for (const kind of ["pie", "fixed"]) {
    skipUnless("gcc")(`sees what it always sees: ${kind}`, async () => {
      const file = await tree.add(built(kind), `bin/${kind}`);
      const plain = answersOf((await run(built(kind), [])).stdout);
      const { status, stdout, stderr } = await run(file, []);
      expect(stderr).toBe("");
      expect(status).toBe(0);
      const packed = answersOf(stdout);
      const own = { argv0: file, exe: file, execfn: file };
      const libc = path.join(tree.root, "lib/libc/libc.so.6");
      expect(packed).toEqual({ ...plain, ...own, libc });
      expect(packed).toMatchObject({ constructor: "the same", vector: "1", entry: "1" });
      expect(packed).toMatchObject({ child: "42", shell: "says 42 []", "ISO-8859-1": "ä" });
    });
  }

  skipUnless("gcc")("is found from wherever its folder is, by a link and by a script", async () => {
    await tree.add(built("pie"), "bin/deeper/program");
    await tree.add("/bin/bash", "bin/bash");
    const moved = path.join(dir, "a folder: with $ORIGIN; and more");
    renameSync(tree.root, moved);
    try {
      const file = path.join(moved, "bin/deeper/program");
      const link = path.join(dir, "link");
      symlinkSync(file, link);
      const script = path.join(dir, "script");
      writeFileSync(script, `#!${dir}/shell\nreadlink /proc/$$/exe; echo $0 $1\n`, { mode: 0o755 });
      symlinkSync(path.join(moved, "bin/bash"), path.join(dir, "shell"));
      for (const [command, args] of [
        [file, []],
        [link, []],
      ] as const) {
        const { stdout, stderr } = await run(command, args);
        expect(stderr).toBe("");
        expect(answersOf(stdout)).toMatchObject({ exe: file, argv0: command, child: "42" });
      }
      const { stdout, stderr } = await run(script, ["one"]);
      expect({ stdout, stderr }).toEqual({
        stdout: `${path.join(moved, "bin/bash")}\n${script} one\n`,
        stderr: "",
      });
    } finally {
      renameSync(moved, tree.root);
    }
  });

  skipUnless("gcc")("has the same bytes again, and is recognised", async () => {
    const file = await tree.add(built("pie"), "bin/once");
    const again = await tree.add(file, "bin/twice");
    expect(readFileSync(again).equals(readFileSync(file))).toBe(true);
  });
});
