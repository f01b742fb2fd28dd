import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { resolveBuildOptions } from "../../../builder/config/build-options.ts";
import { findConfig, loadConfig } from "../../../builder/config/config-file.ts";
import { configKeys } from "../../../builder/generated/spec.ts";
import { type Files, writeFiles } from "../../support/case.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

function folder(files: Files): string {
  const dir = temporaryDirectory();
  writeFiles(dir, files);
  return dir;
}

async function load(name: string, text: string, more: Files = {}) {
  const dir = folder({ [name]: text, ...more });
  const { options } = await loadConfig(path.join(dir, name));
  return { dir, options };
}

describe("a configuration file", () => {
  test("is found in a folder by each of its names", async () => {
    expect(await findConfig(folder({ other: "" }))).toBeUndefined();
    expect(await findConfig("/dev/null")).toBeUndefined();
    for (const name of ["bundle.config.json", "bundle.config.ts", "bundle.config.mjs"]) {
      const dir = folder({ [name]: "" });
      expect(await findConfig(dir)).toBe(path.join(dir, name));
    }
    const both = folder({ "bundle.config.ts": "", "bundle.config.mjs": "" });
    await expect(findConfig(both)).rejects.toMatchObject({ code: "E_CONFIG_INVALID", path: both });
  });

  test.each(["c.json", "c.mjs", "c.ts"])(
    "%s is read when it is a file of a sane size",
    async (name) => {
      const dir = folder({ folder: "" });
      const file = path.join(dir, name);
      const refused = (reason: RegExp) =>
        expect(loadConfig(file)).rejects.toMatchObject({
          code: "E_CONFIG_INVALID",
          message: expect.stringMatching(reason),
        });
      execFileSync("mkfifo", [file]);
      await refused(/cannot be read: it is no regular file/);
      rmSync(file);
      symlinkSync("/dev/zero", file);
      await refused(/cannot be read: it is no regular file/);
      rmSync(file);
      mkdirSync(file);
      await refused(/cannot be read: it is a directory/);
      rmSync(file, { recursive: true });
      writeFileSync(file, "");
      truncateSync(file, 3e9);
      await refused(/cannot be read: it has 3000000000 bytes, and 16777216 are the most/);
    },
  );

  test("of JSON has a schema for editors, and paths relative to itself", async () => {
    const text = JSON.stringify({
      $schema: "anything",
      output: "../x.run",
      entry: "bin/x",
      libs: ["libx.so", "./libs/liby.so"],
    });
    const { dir, options } = await load("deep/c.json", text);
    expect(options).toEqual({
      output: path.join(dir, "x.run"),
      entry: "bin/x",
      libs: ["libx.so", path.join(dir, "deep/libs/liby.so")],
    });
  });

  test("of TypeScript may import, of packages and of this one, and knows where it is", async () => {
    const text = `
      import { createRequire } from "node:module";
      import { defineConfig, type BundleConfig } from "fuselage-bundle";
      import common from "common-package";
      import { level } from "./level.ts";
      const here: string = import.meta.dirname;
      const config: BundleConfig = { level, name: common.name + import.meta.url.slice(-3) };
      export default defineConfig({ ...config, args: [here, await Promise.resolve("x")] });
    `;
    const { dir, options } = await load("bundle.config.ts", text, {
      "level.ts": "export const level = 3 satisfies number;\n",
      "node_modules/common-package/index.js":
        'module.exports = { name: require("path").basename("/a/b") };\n',
    });
    expect(options).toEqual({ level: 3, name: "b.ts", args: [dir, "x"] });
  });

  test.each([
    ["c.json", "{", /not JSON/],
    ["c.json", "[]", /does not hold options/],
    ["c.mjs", "export const x = 1;", /does not hold options/],
    ["c.mjs", "export default {", /cannot be compiled: c\.mjs:1:/],
    ["c.ts", 'import x from "./gone.ts"; export default x;', /c\.ts:1:15: Could not resolve/],
    ["c.mjs", 'throw new Error("stop");', /it failed: stop/],
  ])("%s with %j is invalid, in words", async (name, text, message) => {
    const loading = load(name, text);
    await expect(loading).rejects.toMatchObject({ code: "E_CONFIG_INVALID" });
    await expect(loading).rejects.toThrow(message);
  });

  test("that is missing or a folder is invalid too", async () => {
    const dir = folder({ "d.json/x": "" });
    for (const name of ["gone.json", "gone.ts", "d.json"]) {
      await expect(loadConfig(path.join(dir, name))).rejects.toMatchObject({
        code: "E_CONFIG_INVALID",
        path: path.join(dir, name),
      });
    }
  });

  test.each([
    ["wihtLibs", /"withLibs"/],
    ["with-libs", /"withLibs"/],
    ["exlude", /"exclude"/],
    ["onProgress", /docs\/config\.md/],
    ["toString", /docs\/config\.md/],
  ])("does not know the key %s", async (key, hint) => {
    const loading = load("c.json", JSON.stringify({ [key]: true }));
    await expect(loading).rejects.toMatchObject({
      code: "E_CONFIG_KEY",
      hint: expect.stringMatching(hint),
      path: expect.stringMatching(/c\.json$/),
    });
  });

  test.each([
    ["threads", "2"],
    ["threads", 0],
    ["level", 1.5],
    ["blockSize", 5000],
    ["withLibs", "yes"],
    ["args", "one"],
    ["args", [1]],
    ["env", ["NAME"]],
    ["unsetEnv", ["A=1"]],
    ["mountAt", "/run/other/x"],
    ["arch", "mips"],
    ["entry", ""],
    ["entry", "a\0b"],
    ["name", null],
  ])("does not take %s: %j", async (key, value) => {
    const loading = load("c.json", JSON.stringify({ [key]: value }));
    await expect(loading).rejects.toMatchObject({
      code: "E_OPTION_VALUE",
      path: expect.stringMatching(/c\.json$/),
      message: expect.stringMatching(
        new RegExp(`c\\.json: ${key} does not take this value: expected `),
      ),
      actual: JSON.stringify(Array.isArray(value) ? value[0] : value),
    });
  });
});

test("every key is an option of a build", () => {
  for (const key of Object.keys(configKeys.properties)) {
    const options = {
      input: "in",
      output: "out",
      ...(key in { input: 1, output: 1 } ? {} : { [key]: undefined }),
    };
    expect(() => resolveBuildOptions(options)).not.toThrow();
  }
});

test("every key has words and a type that is checked", () => {
  for (const schema of Object.values(configKeys.properties)) {
    expect(schema.description).not.toBe("");
    expect(["string", "boolean", "integer", "array", "object"]).toContain(schema.type);
  }
});
