import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { Spool } from "../../../builder/squashfs/spool.ts";
import type { Contents } from "../../../builder/tree/node.ts";
import { fileNode } from "../../../builder/tree/node.ts";

function streamed(size: number, ...chunks: string[]) {
  const contents: Contents = {
    from: "stream",
    size,
    open: async function* () {
      for (const chunk of chunks) yield Buffer.from(chunk);
    },
  };
  return { node: fileNode(contents), path: "a/stream", contents };
}

test("streams become files that are gone after closing", async () => {
  const spool = new Spool();
  const memory = { node: fileNode("x"), path: "m", contents: fileNode("x").contents };
  const [kept, spooled] = await spool.settle([memory, streamed(5, "he", "", "llo")]);
  expect(kept).toBe(memory);
  if (spooled?.contents.from !== "disk") throw new Error("not on disk");
  expect(readFileSync(spooled.contents.path, "utf8")).toBe("hello");
  expect(spooled.contents.size).toBe(5);
  await spool.close();
  expect(existsSync(path.dirname(spooled.contents.path))).toBe(false);
});

test("a stream of another length is an error that names the file", async () => {
  const spool = new Spool();
  await expect(spool.settle([streamed(9, "short")])).rejects.toMatchObject({
    code: "E_FILE_CHANGED",
    path: "a/stream",
  });
  await spool.close();
});

test("closing an unused spool does nothing", async () => {
  await new Spool().close();
});
