import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { removeTemporaries } from "../../../builder/host/temporary.ts";
import { freeDirectory, publishDirectory } from "../../../builder/output/output-directory.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

async function fill(dir: string): Promise<string> {
  writeFileSync(path.join(dir, "file"), "text");
  return "filled";
}

describe("a folder", () => {
  test("appears complete", async () => {
    const dir = path.join(temporaryDirectory(), "out");
    const published = await publishDirectory(dir, async (temporary) => {
      expect(statSync(temporary).mode & 0o777).toBe(0o700);
      return fill(temporary);
    });
    expect(published).toEqual({ dir, result: "filled" });
    expect(readdirSync(path.dirname(dir))).toEqual(["out"]);
  });

  test("may take the place of an empty one, also through a link", async () => {
    const parent = temporaryDirectory();
    mkdirSync(path.join(parent, "empty"));
    symlinkSync("empty", path.join(parent, "link"));
    const { dir } = await publishDirectory(path.join(parent, "link"), fill);
    expect(dir).toBe(path.join(parent, "empty"));
    expect(readdirSync(dir)).toEqual(["file"]);
  });

  test("that fails leaves nothing, not even folders that nobody may write to", async () => {
    const parent = temporaryDirectory();
    const failing = publishDirectory(path.join(parent, "out"), async (temporary) => {
      mkdirSync(path.join(temporary, "deep"));
      await fill(path.join(temporary, "deep"));
      chmodSync(path.join(temporary, "deep"), 0o555);
      throw new Error("half way");
    });
    await expect(failing).rejects.toThrow("half way");
    expect(readdirSync(parent)).toEqual([]);
  });
});

test("whole is what has its name when a signal ends the process a moment later", async () => {
  const dir = path.join(temporaryDirectory(), "out");
  let ended = () => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const published = publishDirectory(dir, async (temporary) => {
    setImmediate(() => {
      // A thread of Node's may have renamed it, and nobody here has heard of that yet.
      for (const patience = Date.now() + 1000; !existsSync(dir) && Date.now() < patience; );
      removeTemporaries();
      ended();
    });
    return fill(temporary);
  });
  await end;
  await published;
  expect(readdirSync(dir)).toEqual(["file"]);
});

test("a name that somebody has taken meanwhile stays with him", async () => {
  const parent = temporaryDirectory();
  const takes: ((dir: string) => void)[] = [
    (dir) => writeFileSync(dir, "his"),
    (dir) => mkdirSync(path.join(dir, "his"), { recursive: true }),
  ];
  for (const [i, take] of takes.entries()) {
    const dir = path.join(parent, `out${i}`);
    const failing = publishDirectory(dir, async (temporary) => {
      take(dir);
      return fill(temporary);
    });
    await expect(failing).rejects.toMatchObject({ code: "E_EXTRACT_EXISTS", path: dir });
  }
  expect(readdirSync(parent)).toEqual(["out0", "out1"]);
  expect(readdirSync(path.join(parent, "out1"))).toEqual(["his"]);
});

test("an empty folder that goes while it is looked at is free as well", async () => {
  const parent = temporaryDirectory();
  for (let i = 0; i < 300; i++) {
    const dir = path.join(parent, `out${i}`);
    mkdirSync(dir);
    const free = freeDirectory(dir);
    if (i % 2) await new Promise(setImmediate);
    rmdirSync(dir);
    expect(await free).toBe(dir);
  }
});

test("a failed system call in it is one of the output, at its place there", async () => {
  const out = path.join(temporaryDirectory(), "out");
  const systemError = (code: string, more: object) =>
    Object.assign(new Error(code), { code, ...more });
  const failing = (cause: (temporary: string) => Error) =>
    publishDirectory(out, async (temporary) => {
      throw cause(temporary);
    });
  await expect(failing(() => systemError("ENOSPC", {}))).rejects.toMatchObject({
    code: "E_OUTPUT_NO_SPACE",
    path: out,
  });
  const inside = failing((temporary) => systemError("EACCES", { path: `${temporary}/disk` }));
  await expect(inside).rejects.toMatchObject({ path: `${out}/disk` });
  // What is read from elsewhere is another failure.
  await expect(failing(() => systemError("EIO", { path: "/input" }))).rejects.toThrow("EIO");
});

describe("a place is refused:", () => {
  test.each<[string, string, (dir: string) => void]>([
    ["a file", "E_EXTRACT_EXISTS", (dir) => writeFileSync(dir, "")],
    [
      "a folder with a file",
      "E_EXTRACT_EXISTS",
      (dir) => mkdirSync(path.join(dir, "x"), { recursive: true }),
    ],
    ["a link that leads in a circle", "E_EXTRACT_FAILED", (dir) => symlinkSync("out", dir)],
  ])("%s", async (_, code, make) => {
    const dir = path.join(temporaryDirectory(), "out");
    make(dir);
    await expect(publishDirectory(dir, fill)).rejects.toMatchObject({ code });
  });

  test("one in a folder that is missing", async () => {
    const dir = path.join(temporaryDirectory(), "gone", "out");
    await expect(publishDirectory(dir, fill)).rejects.toMatchObject({ code: "E_EXTRACT_FAILED" });
  });
});
