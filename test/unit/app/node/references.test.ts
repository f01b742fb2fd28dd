import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { filesOf, globOf } from "../../../../builder/app/node/references.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

describe("globOf", () => {
  test.each([
    ["locales/{{lng}}/{{ns}}.json", "locales/*/*.json"],
    ["locales/{lng}.json", "locales/*.json"],
    ["pages/%s.html", "pages/*.html"],
    ["%{name}.txt", "*.txt"],
    ["views/${name}.ejs", "views/*.ejs"],
    ["entity/**/*.{ts,js}", "entity/**/*.{ts,js}"],
    ["part-{1..3}.bin", "part-{1..3}.bin"],
  ])("of the string %s is %s", (literal, glob) => {
    expect(globOf(literal, true)).toBe(glob);
  });

  test("of a name with an expression means all but the expression as it is", () => {
    expect(globOf("[id]/*+(x).json", false)).toBe("\\[id\\]/*\\+\\(x\\).json");
  });
});

test("filesOf tells links and odd names, and leaves installed packages out", async () => {
  const dir = temporaryDirectory();
  mkdirSync(`${dir}/node_modules`);
  writeFileSync(`${dir}/node_modules/a.json`, "");
  writeFileSync(`${dir}/b.json`, "");
  writeFileSync(`${dir}/c.js`, "");
  writeFileSync(Buffer.from(`${dir}/\xff.json`, "latin1"), "");
  symlinkSync("nowhere", `${dir}/d.json`);
  const json = await filesOf({ dir, glob: "*.json", isLiteral: false });
  expect(json.assets.sort()).toEqual([`${dir}/b.json`, `${dir}/d.json`, `${dir}/\xff.json`]);
  const all = await filesOf({ dir, glob: undefined, isLiteral: false });
  expect(all).toEqual({ assets: [dir], scripts: [`${dir}/c.js`] });
});
