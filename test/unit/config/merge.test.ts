import path from "node:path";
import { describe, expect, test } from "vitest";
import { configuredOptions } from "../../../builder/config/merge.ts";
import { writeFiles } from "../../support/case.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const found = { file: undefined, none: false };

function app(config: object, name = "bundle.config.json"): string {
  const dir = temporaryDirectory();
  writeFiles(dir, { [name]: JSON.stringify(config) });
  return dir;
}

describe("options of the command line and of a file", () => {
  test("the command line wins, lists as a whole", async () => {
    const input = app({ name: "file", args: ["a", "b"], env: ["A=1"], exclude: ["x"] });
    const { options, config } = await configuredOptions(
      { input, output: "o", name: "line", args: ["c"], entry: undefined },
      found,
    );
    expect(config).toBe(path.join(input, "bundle.config.json"));
    expect(options).toEqual({
      input,
      output: "o",
      name: "line",
      args: ["c"],
      env: ["A=1"],
      exclude: ["x", "bundle.config.json"],
    });
  });

  test("a level of the file belongs to its codec", async () => {
    const input = app({ compression: "zstd", level: 19 });
    const both = await configuredOptions({ input, compression: "gzip" }, found);
    expect(both.options).toMatchObject({ compression: "gzip" });
    expect(both.options).not.toHaveProperty("level");
    expect((await configuredOptions({ input }, found)).options).toMatchObject({ level: 19 });
  });

  test("a file that is named may say what is packed, else it is its own folder", async () => {
    const dir = app({ input: "deep" }, "c (1).json");
    const file = path.join(dir, "c (1).json");
    const named = await configuredOptions({}, { file, none: false });
    expect(named.options).toEqual({ input: path.join(dir, "deep"), output: "" });
    const own = app({}, "c (1).json");
    const { options } = await configuredOptions(
      {},
      { file: path.join(own, "c (1).json"), none: false },
    );
    expect(options).toMatchObject({ input: own, exclude: ["c \\(1\\).json"] });
  });

  test("none is read when none is wanted, or none is there", async () => {
    const input = app({ name: "file" });
    const none = await configuredOptions({ input }, { file: undefined, none: true });
    expect(none).toEqual({ options: { input, output: "" }, config: undefined });
    const gone = await configuredOptions({ input: "/gone", name: "x" }, found);
    expect(gone.options).toEqual({ input: "/gone", output: "", name: "x" });
  });
});

describe("start.profile", () => {
  const profile = async (given: { input: string; profile?: string }, file?: string) =>
    (await configuredOptions(given, { file, none: false })).options.profile;

  test("lies beside the configuration file, or in the folder that is packed", async () => {
    const input = app({});
    expect(await profile({ input })).toBeUndefined();
    writeFiles(input, { "start.profile": "version 1\n" });
    expect(await profile({ input })).toBe(path.join(input, "start.profile"));
    const elsewhere = app({});
    const config = path.join(elsewhere, "bundle.config.json");
    expect(await profile({ input }, config)).toBe(path.join(input, "start.profile"));
    writeFiles(elsewhere, { "start.profile": "version 1\n" });
    expect(await profile({ input }, config)).toBe(path.join(elsewhere, "start.profile"));
  });

  test("is not looked for where another is named, and a folder or a single file has none", async () => {
    const input = app({ profile: "other" });
    writeFiles(input, { "start.profile": "version 1\n" });
    expect(await profile({ input })).toBe(path.join(input, "other"));
    expect(await profile({ input, profile: "named" })).toBe("named");
    expect(await profile({ input: path.join(input, "start.profile") })).toBeUndefined();
    const folder = app({});
    writeFiles(folder, { "start.profile": { folder: true } });
    expect(await profile({ input: folder })).toBeUndefined();
  });
});
