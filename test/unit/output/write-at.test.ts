import { open, readFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { writeAt } from "../../../builder/output/write-at.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

test("bytes go where they were told to", async () => {
  const file = path.join(temporaryDirectory(), "file");
  const handle = await open(file, "w");
  await writeAt(handle.fd, Buffer.from("there"), 3);
  await writeAt(handle.fd, Buffer.from("up "), 0);
  await writeAt(handle.fd, Buffer.alloc(0), 100);
  await handle.close();
  expect(await readFile(file, "utf8")).toBe("up there");
});

test("a descriptor that may not be written rejects", async () => {
  const handle = await open("/dev/null", "r");
  await expect(writeAt(handle.fd, Buffer.from("x"), 0)).rejects.toMatchObject({ code: "EBADF" });
  await handle.close();
});
