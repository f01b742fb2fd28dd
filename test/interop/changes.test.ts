/** Files that change between the scan of a directory and the writing of its image. */

import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { describe, expect, test } from "vitest";
import { directoryEntries } from "../../builder/dump/dump-directory.ts";
import { treeFromDirectory } from "../../builder/input/add-directory.ts";
import { writeSquashfs } from "../../builder/squashfs/writer.ts";
import { noise, slowNoise } from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { isRoot } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const sizes = { "a small file": 100, "a file of blocks": 400_000, "an empty file": 0 };

const changes: Record<string, { change: (file: string) => void; message: RegExp }> = {
  grows: { change: (file) => appendFileSync(file, "more"), message: /its size went from/ },
  "is truncated": {
    change: (file) => truncateSync(file, 1),
    message: /its size went from/,
  },
  disappears: { change: (file) => rmSync(file), message: /it disappeared/ },
  "is replaced by another": {
    change: (file) => {
      writeFileSync(`${file}.new`, "other");
      renameSync(`${file}.new`, file);
    },
    message: /replaced by another file/,
  },
  "becomes a link": {
    change: (file) => {
      renameSync(file, `${file}.moved`);
      symlinkSync(`${file}.moved`, file);
    },
    message: /not a regular file/,
  },
  "becomes a fifo": {
    change: (file) => {
      rmSync(file);
      execFileSync("mkfifo", [file]);
    },
    message: /not a regular file/,
  },
  "becomes a directory": {
    change: (file) => {
      rmSync(file);
      mkdirSync(file);
    },
    message: /not a regular file/,
  },
  "is touched": { change: (file) => utimesSync(file, 5, 5), message: /it was written to/ },
  "gets another mode": { change: (file) => chmodSync(file, 0o600), message: /mode/ },
};

describe.each(Object.entries(sizes))("%s", (_, size) => {
  test.each(Object.entries(changes))("that %s is named", async (_name, { change, message }) => {
    const dir = temporaryDirectory();
    mkdirSync(`${dir}/in`);
    const file = `${dir}/in/changing\nfile`;
    writeFileSync(file, noise(size));
    writeFileSync(`${dir}/in/other`, noise(500_000));
    const tree = await treeFromDirectory(`${dir}/in`);
    change(file);
    await expect(writeSquashfs(tree, { path: `${dir}/image` })).rejects.toMatchObject({
      code: "E_FILE_CHANGED",
      path: `${dir}/in/changing\\nfile`,
      message: expect.stringMatching(message),
    });
  });
});

describe.each(Object.entries(sizes))("of %s", (_, size) => {
  test.each(Object.entries(changes))("a dump notices that it %s", async (_name, { change }) => {
    const dir = temporaryDirectory();
    const file = `${dir}/changing\nfile`;
    writeFileSync(file, noise(size));
    const [entry] = (await directoryEntries(dir, false)).filter(({ kind }) => kind === "file");
    change(file);
    const whole = async () => {
      for await (const _part of entry?.file?.read() ?? []);
    };
    await expect(whole()).rejects.toMatchObject({
      code: "E_FILE_CHANGED",
      path: `${dir}/changing\\nfile`,
    });
  });
});

test("a file that grows while its own blocks are read is noticed", async () => {
  const dir = temporaryDirectory();
  mkdirSync(`${dir}/in`);
  const file = `${dir}/in/file`;
  writeFileSync(file, slowNoise(3 << 20));
  const tree = await treeFromDirectory(`${dir}/in`);
  let appended = false;
  const written = writeSquashfs(
    tree,
    { path: `${dir}/image` },
    {
      level: 19,
      threads: 1,
      onProgress: ({ bytes, totalBytes }) => {
        if (appended || bytes === 0 || bytes === totalBytes) return;
        appended = true;
        appendFileSync(file, "more");
      },
    },
  );
  await expect(written).rejects.toMatchObject({ code: "E_FILE_CHANGED", path: file });
  expect(appended).toBe(true);
});

skipUnless("root")("a file that became unreadable is named", async () => {
  // As root nothing is unreadable, so a process without that privilege tries.
  expect(isRoot).toBe(true);
  const dir = temporaryDirectory();
  mkdirSync(`${dir}/in`);
  writeFileSync(`${dir}/in/secret`, "x", { mode: 0o600 });
  const tree = await treeFromDirectory(`${dir}/in`);
  process.seteuid?.(1000);
  try {
    const image = `/tmp/${process.pid}-unreadable`;
    await expect(writeSquashfs(tree, { path: image })).rejects.toMatchObject({
      code: "E_FILE_UNREADABLE",
      path: `${dir}/in/secret`,
    });
    rmSync(image, { force: true });
  } finally {
    process.seteuid?.(0);
  }
});
