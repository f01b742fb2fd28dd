import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { writeFiles } from "../../../builder/engines/write-files.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const unit = { name: "a.service", text: "a" };
/** No file system has such a name, as none has room on a full disk. */
const impossible = { name: "b".repeat(300), text: "b" };

test("leaves none of the folders that it made, when a file cannot be written", async () => {
  const base = temporaryDirectory();
  const failed = { code: expect.stringMatching(/^E_OUTPUT_/) };
  for (const dir of ["new", "new/units", "new//units/"]) {
    const units = path.join(base, dir);
    await expect(writeFiles(units, [unit, impossible], false)).rejects.toMatchObject(failed);
    expect(readdirSync(base)).toEqual([]);
  }
  const relative = path.relative(process.cwd(), path.join(base, "new/units"));
  await expect(writeFiles(relative, [impossible], false)).rejects.toMatchObject(failed);
  expect(readdirSync(base)).toEqual([]);
});

test("and all that were there before", async () => {
  const base = temporaryDirectory();
  mkdirSync(path.join(base, "units"));
  await expect(writeFiles(path.join(base, "units"), [impossible], false)).rejects.toThrow();
  await expect(writeFiles(path.join(base, "units/new"), [impossible], false)).rejects.toThrow();
  expect(readdirSync(path.join(base, "units"))).toEqual([]);
  writeFileSync(path.join(base, "units", unit.name), "");
  await expect(writeFiles(path.join(base, "units"), [unit], false)).rejects.toMatchObject({
    code: "E_ENGINE_EXISTS",
  });
  expect(existsSync(path.join(base, "units", unit.name))).toBe(true);
});
