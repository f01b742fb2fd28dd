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
