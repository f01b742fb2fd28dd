import { chmodSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import {
  envProgram,
  parseShebang,
  shebangProblem,
  shebangProgram,
} from "../../../../builder/app/plain/shebang.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

const parse = (line: string) => parseShebang(Buffer.from(line));

describe("the first line of a script", () => {
  test.each([
    ["#!/bin/sh\nexit\n", "/bin/sh", undefined, "/bin/sh"],
    ["#! /bin/sh -e \n", "/bin/sh", "-e", "/bin/sh"],
    ["#!/usr/bin/env python3\n", "/usr/bin/env", "python3", "python3"],
    ["#!/usr/bin/env -S A=1 node --flag\n", "/usr/bin/env", "-S A=1 node --flag", "node"],
    ["#!/usr/bin/env -Snode\n", "/usr/bin/env", "-Snode", "node"],
    ["#!/usr/bin/env", "/usr/bin/env", undefined, "/usr/bin/env"],
    ["#!/bin/awk -f x", "/bin/awk", "-f x", "/bin/awk"],
    ["#!\n", "", undefined, ""],
  ])("%j", (line, interpreter, argument, program) => {
    const shebang = parse(line);
    expect(shebang).toEqual({ interpreter, argument, carriageReturn: false, cut: "no" });
    expect(shebang && shebangProgram(shebang)).toBe(program);
  });

  test("may end as in DOS, which the kernel takes for a part of it", () => {
    expect(parse("#!/bin/sh\r\n")).toEqual({
      interpreter: "/bin/sh",
      argument: undefined,
      carriageReturn: true,
      cut: "no",
    });
  });

  const letters = (count: number) => "e".repeat(count);
  test.each<[string, string, string]>([
    ["255 bytes", `#!/bin/sh -${letters(244)}\n`, "no"],
    ["255 bytes of UTF-8", `#!/bin/sh ${"ü".repeat(122)}x\n`, "no"],
    ["256 bytes", `#!/bin/sh -${letters(245)}\n`, "argument"],
    ["256 bytes of UTF-8", `#!/bin/sh ${"ü".repeat(123)}\n`, "argument"],
    ["no end", `#!/usr/bin/env -S A=${letters(300)} sh`, "argument"],
    ["pip's: a long path in a folder", `#!/home/${letters(300)}/bin/python3\n`, "interpreter"],
    ["a path that ends behind the limit", `#!/${letters(253)} -x\n`, "interpreter"],
    ["blanks alone", `#!${" ".repeat(300)}/bin/sh\n`, "interpreter"],
  ])("of %s: what the kernel cuts off", (_, line, cut) => {
    expect(parse(line)?.cut).toBe(cut);
  });

  test.each(["", "#", "\x7fELF", " #!/bin/sh"])("is not there in %j", (text) => {
    expect(parse(text)).toBeUndefined();
  });

  test("is a problem when what it names is not here", () => {
    const dir = temporaryDirectory();
    const tool = path.join(dir, "tool");
    writeFileSync(tool, "");
    const problem = (line: string) => shebangProblem(parse(line) ?? expect.fail(), dir);
    expect(problem(`#!${tool}\n`)).toMatch(/not on this machine/);
    expect(problem("#!/usr/bin/env tool\n")).toMatch(/not in PATH/);
    chmodSync(tool, 0o755);
    expect(problem(`#!${tool}\n`)).toBeUndefined();
    expect(problem("#!/usr/bin/env tool\n")).toBeUndefined();
    expect(problem(`#!/usr/bin/env ${tool}\n`)).toBeUndefined();
    expect(problem("#!tool\n")).toMatch(/depends on the folder/);
    expect(envProgram(parse(`#!${tool} x`) ?? expect.fail())).toBeUndefined();
  });
});
