import { chmodSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { addFile, diskContents } from "../../../builder/input/add-input.ts";
import { Tree } from "../../../builder/tree/tree.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

describe("a file of the host", () => {
  test("is put anywhere, with its mode or another, links followed", async () => {
    const dir = temporaryDirectory();
    const file = path.join(dir, "gr\u00fcn");
    writeFileSync(file, "12345");
    chmodSync(file, 0o640);
    symlinkSync("gr\u00fcn", path.join(dir, "link"));
    const tree = new Tree();
    await addFile(tree, "a/b", file);
    await addFile(tree, "a/c", path.join(dir, "link"), 0o755);
    expect(tree.get("a/b")).toMatchObject({ kind: "file", mode: 0o640 });
    expect(tree.get("a/c")).toMatchObject({ mode: 0o755, contents: { from: "disk", size: 5 } });
    expect(tree.get("a/b")).toMatchObject({
      contents: { folder: Buffer.from(file).toString("latin1"), name: "" },
    });
  });

  test("that is none is refused by its name", async () => {
    const dir = temporaryDirectory();
    const add = (file: string) => addFile(new Tree(), "x", file);
    await expect(add(path.join(dir, "gone"))).rejects.toMatchObject({ code: "E_FILE_UNREADABLE" });
    await expect(add(dir)).rejects.toMatchObject({ code: "E_FILE_KIND", path: dir });
    await expect(diskContents("/dev/null")).rejects.toMatchObject({ code: "E_FILE_KIND" });
  });
});
