import { chmodSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { chooseKind } from "../../../builder/app/kinds.ts";
import { withApp } from "../../../builder/app/prepare.ts";
import { openSource } from "../../../builder/app/source.ts";
import { resolveBuildOptions } from "../../../builder/config/build-options.ts";
import type { KindChoice } from "../../../builder/config/kind-names.ts";
import { commands, configKeys } from "../../../builder/generated/spec.ts";
import { pathOnDisk } from "../../../builder/tree/node.ts";
import { type Files, program, writeFiles } from "../../support/case.ts";
import { makeDynamicElf, makeProgram } from "../../support/dynamic-elf.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

function input(files: Files, name = "app"): string {
  const dir = temporaryDirectory();
  writeFiles(dir, files);
  return path.join(dir, name);
}

async function kindOf(file: string, wanted?: KindChoice, entry?: string) {
  const { kind, why } = await chooseKind(
    wanted,
    await openSource({ input: file, name: "app", entry }),
  );
  return `${kind.name}: ${why}`;
}

describe("the kind of an input", () => {
  test("is found", async () => {
    expect(await kindOf(input({ app: program }))).toBe("plain: a script, it starts with #!");
    expect(await kindOf(input({ app: makeProgram() }))).toBe("elf: it is a compiled program");
    expect(await kindOf(input({ "app/bin/app": program }))).toBe("plain: the folder as it is");
    const both = input({ "app/bin/app": program, "app/tool": makeProgram() });
    chmodSync(path.join(both, "tool"), 0o755);
    expect(await kindOf(both)).toMatch(/^plain/);
    expect(await kindOf(both, undefined, "tool")).toBe("elf: tool is a compiled program");
  });

  test("is what the user says, if there is such a kind", async () => {
    const folder = input({ "app/bin/app": program });
    expect(await kindOf(folder, "auto")).toMatch(/^plain/);
    expect(await kindOf(folder, "elf")).toBe("elf: as asked for");
  });

  test("is none for a file that nothing can start", async () => {
    await expect(kindOf(input({ app: "text" }))).rejects.toMatchObject({ code: "E_KIND_UNKNOWN" });
    await expect(kindOf(input({ app: "" }))).rejects.toMatchObject({ code: "E_KIND_UNKNOWN" });
  });

  test("can be said by the same names everywhere, and there is one of each", async () => {
    const folder = input({ "app/bin/app": program });
    for (const name of configKeys.properties.kind.enum) {
      const found = await kindOf(folder, name);
      expect(found).toMatch(name === "auto" ? /^plain: / : `${name}: as asked for`);
    }
    const { options } = commands.find(({ name }) => name === "build") ?? expect.fail();
    const kind = options.find(({ name }) => name === "kind");
    expect(kind).toMatchObject({ choices: configKeys.properties.kind.enum });
  });
});

describe("an input", () => {
  test("that is missing, or neither file nor folder, is refused", async () => {
    const open = (file: string) => openSource({ input: file, name: "x" });
    await expect(open("/gone/x")).rejects.toMatchObject({ code: "E_INPUT_MISSING" });
    await expect(open("/dev/null/x")).rejects.toMatchObject({ code: "E_INPUT_MISSING" });
    await expect(open("/dev/null")).rejects.toMatchObject({
      code: "E_INPUT_NOT_DIRECTORY",
      actual: "a character device",
    });
  });

  test("is read as far as it is asked for", async () => {
    const source = await openSource({ input: input({ "app/a/b": "x".repeat(9000) }), name: "x" });
    expect((await source.head("a/b"))?.length).toBe(4096);
    expect(await source.head("a")).toBeUndefined();
    expect(await source.head("gone")).toBeUndefined();
    expect(await source.tree()).toBe(await source.tree());
  });

  test("that is a file is a tree of one program, whatever its mode", async () => {
    const source = await openSource({ input: input({ app: "#!/bin/sh" }), name: "x" });
    expect((await source.tree()).get("bin/app")).toMatchObject({ kind: "file", mode: 0o755 });
  });
});

describe("an app that is prepared", () => {
  test("has a private folder while it is used, and only if it wants one", async () => {
    const file = input({
      app: makeProgram({ needed: ["liba.so"] }),
      "root/usr/lib/liba.so": makeDynamicElf(),
    });
    const before = process.env["TMPDIR"];
    const temporary = temporaryDirectory();
    process.env["TMPDIR"] = temporary;
    try {
      const sysroot = path.join(path.dirname(file), "root");
      const given = { input: file, output: "x", arch: "x86_64" as const, sysroot };
      await withApp(resolveBuildOptions(given), async () => {
        expect(readdirSync(temporary)).toEqual([]);
      });
      const failure = withApp(resolveBuildOptions({ ...given, withLibs: true }), async (app) => {
        const node = app.tree.get("bin/app");
        if (node?.kind !== "file" || node.contents.from !== "disk") return expect.fail();
        expect(pathOnDisk(node.contents).startsWith(temporary)).toBe(true);
        expect(existsSync(pathOnDisk(node.contents))).toBe(true);
        throw new Error("stop");
      });
      await expect(failure).rejects.toThrow("stop");
      expect(readdirSync(temporary)).toEqual([]);
    } finally {
      process.env["TMPDIR"] = before;
      if (before === undefined) delete process.env["TMPDIR"];
    }
  });

  test("says what its first line names", async () => {
    const prepare = (text: string) => {
      const file = input({ app: "" });
      writeFileSync(file, text);
      return withApp(resolveBuildOptions({ input: file, output: "x" }), async (app) => app);
    };
    expect(await prepare("#!/bin/sh -e\n")).toMatchObject({
      entry: "bin/app",
      explain: ["interpreter: /bin/sh, the target's, by the first line of bin/app"],
      warnings: [],
    });
    expect(await prepare("#!/no/such/shell\n")).toMatchObject({
      warnings: [
        {
          code: "W_SHEBANG",
          message: expect.stringContaining("/no/such/shell, which is not on this machine"),
        },
      ],
    });
    for (const text of ["#!\n", "#!/bin/sh\r\n", "#! \n"]) {
      await expect(prepare(text)).rejects.toMatchObject({ code: "E_SHEBANG" });
    }
  });
});
