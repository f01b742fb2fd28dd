import { rmSync, writeFileSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { withFile } from "../../../builder/input/add-file.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

test("hands over the open file and its size, and closes it", async () => {
  const file = path.join(temporaryDirectory(), "file");
  writeFileSync(file, "12345");
  let kept: FileHandle | undefined;
  const text = await withFile(file, (handle, size) => {
    kept = handle;
    rmSync(file);
    expect(size).toBe(5);
    return handle.readFile("utf8");
  });
  expect(text).toBe("12345");
  expect(kept?.fd).toBe(-1);
});

test("closes it after a failure too", async () => {
  const file = path.join(temporaryDirectory(), "file");
  writeFileSync(file, "");
  let kept: FileHandle | undefined;
  const failing = withFile(file, (handle) => {
    kept = handle;
    throw new Error("on purpose");
  });
  await expect(failing).rejects.toThrow("on purpose");
  expect(kept?.fd).toBe(-1);
});

test("says what is missing, and what is a folder", async () => {
  const dir = temporaryDirectory();
  const use = () => expect.unreachable();
  await expect(withFile(path.join(dir, "none"), use)).rejects.toMatchObject({
    code: "E_INPUT_MISSING",
  });
  await expect(withFile(dir, use)).rejects.toMatchObject({ code: "E_FILE_UNREADABLE", path: dir });
});
