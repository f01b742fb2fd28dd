import { statSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { treeFromDirectory } from "../../../builder/input/add-directory.ts";
import { type FileNode, fileNode, pathOnDisk } from "../../../builder/tree/node.ts";
import { readContents } from "../../../builder/tree/read-contents.ts";
import { ScannedFile } from "../../../builder/tree/scanned-file.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

async function scanned(): Promise<{ file: string; node: FileNode }> {
  const dir = temporaryDirectory();
  writeFileSync(`${dir}/other`, "x");
  writeFileSync(`${dir}/file`, "12345", { mode: 0o640 });
  const node = (await treeFromDirectory(dir)).get("file");
  if (!(node instanceof ScannedFile)) throw new Error("no scanned file");
  return { file: `${dir}/file`, node };
}

test("a scanned file says of its contents what the file is", async () => {
  const { file, node } = await scanned();
  const { contents } = node;
  if (contents.from !== "disk") throw new Error(contents.from);
  expect(pathOnDisk(contents)).toBe(file);
  expect(contents.size).toBe(5);
  const { dev, ino, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
  expect(contents.identity).toMatchObject({ dev, ino, mtimeNs, ctimeNs });
  for await (const bytes of readContents(contents)) expect(`${bytes}`).toBe("12345");
});

test("other contents can be put in their place", async () => {
  const { node } = await scanned();
  const bytes = Buffer.from("other");
  node.contents = { from: "memory", bytes };
  expect(node.contents).toEqual({ from: "memory", bytes });
});

test("a copy has its attributes, and changes apart from it", async () => {
  const { node } = await scanned();
  const copy = fileNode(node.contents, node);
  copy.mode = 0o600;
  expect(copy).toMatchObject({ kind: "file", uid: node.uid, mtime: node.mtime });
  expect([node.mode, copy.mode]).toEqual([0o640, 0o600]);
});
