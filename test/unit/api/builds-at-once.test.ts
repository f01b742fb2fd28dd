/** Builds of one process have nothing in common: neither at once nor one behind the other. */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { build } from "../../../builder/api/build.ts";
import { pack } from "../../../builder/api/pack.ts";
import { type Files, writeFiles } from "../../support/case.ts";
import { makeDynamicElf } from "../../support/dynamic-elf.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const library = { "node_modules/library/package.json": '{"name":"library","main":"index.js"}' };

/** Apps whose preparations ask for the same names: package.json, libraries, workspaces. */
const apps: Record<string, Files> = {
  "a module": {
    "package.json": '{"name":"app","type":"module","main":"main.js"}',
    "main.js": 'import library from "library"; console.log(library, import.meta.url)',
    ...library,
    "node_modules/library/index.js": "module.exports = __dirname",
  },
  "a script": {
    "package.json": '{"name":"app","main":"main.js","dependencies":{"library":"1"}}',
    "main.js": 'console.log(require("library"), __dirname)',
    ...library,
    "node_modules/library/index.js": "module.exports = 1",
  },
  "sources as they are": {
    "package.json": '{"name":"app","main":"main.js"}',
    "main.js": "require(process.argv[2])",
  },
  "a compiled program": {
    "bin/app": makeDynamicElf({ interpreter: "/lib64/ld-linux-x86-64.so.2" }),
  },
  "a folder": { "bin/app": "#!/bin/sh\n" },
};

const common = { arch: "x86_64", node: "none", compileCache: false, name: "app" } as const;

async function built(input: string): Promise<Buffer> {
  const output = path.join(temporaryDirectory(), "out.run");
  await build({ ...common, input, output });
  return readFileSync(output);
}

describe("builds at once", () => {
  test("give what each gives alone", async () => {
    const inputs = Object.values(apps).map((files) => {
      const dir = temporaryDirectory();
      writeFiles(dir, files);
      if ("bin/app" in files) chmodSync(path.join(dir, "bin/app"), 0o755);
      return dir;
    });
    const alone: Buffer[] = [];
    for (const input of inputs) alone.push(await built(input));
    const together = await Promise.all([...inputs, ...inputs].map(built));
    const names = [...Object.keys(apps), ...Object.keys(apps)];
    const differing = names.filter(
      (_, i) => together[i]?.equals(alone[i % inputs.length] ?? Buffer.of()) !== true,
    );
    expect(differing).toEqual([]);
  });

  test("and archives of one folder", async () => {
    const input = temporaryDirectory();
    writeFiles(input, { a: "a".repeat(300_000), "b/c": "c" });
    const packed = async (ending: string) => {
      const output = path.join(temporaryDirectory(), `out.${ending}`);
      await pack({ input, output });
      return readFileSync(output);
    };
    const endings = ["sfs", "zip", "b64"];
    const alone = new Map<string, Buffer>();
    for (const ending of endings) alone.set(ending, await packed(ending));
    const together = await Promise.all([...endings, ...endings].map(packed));
    expect(together.map((bytes, i) => alone.get(endings[i % 3] ?? "")?.equals(bytes))).toEqual(
      together.map(() => true),
    );
  });
});

describe("a build looks at the files of its own time", () => {
  const project = { "package.json": "{", "main.js": "console.log(1)" };

  test("a package.json that was mended after a failure", async () => {
    const dir = temporaryDirectory();
    writeFiles(dir, project);
    await expect(built(dir)).rejects.toMatchObject({ code: "E_NODE_PACKAGE" });
    writeFileSync(path.join(dir, "package.json"), '{"main":"main.js"}');
    await built(dir);
  });

  test("a package.json that names another program", async () => {
    const dir = temporaryDirectory();
    writeFiles(dir, { ...project, "package.json": '{"main":"main.js"}', "other.js": "" });
    const summary = async () => {
      const output = path.join(temporaryDirectory(), "out.run");
      return (await build({ ...common, input: dir, output })).summary;
    };
    expect(await summary()).toContain("main.js");
    writeFileSync(path.join(dir, "package.json"), '{"main":"other.js"}');
    expect(await summary()).toContain("other.js");
  });

  test("a package.json that says that it is a compiled program's now", async () => {
    const dir = temporaryDirectory();
    const tool = makeDynamicElf({ interpreter: "/lib64/ld-linux-x86-64.so.2" });
    writeFiles(dir, { ...project, "package.json": '{"main":"main.js"}', tool });
    await built(dir);
    writeFileSync(path.join(dir, "package.json"), '{"main":"tool"}');
    const output = path.join(temporaryDirectory(), "out.run");
    await expect(build({ ...common, input: dir, output })).rejects.toMatchObject({
      code: "E_ENTRY_NONE",
    });
  });
});
