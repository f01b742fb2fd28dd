import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { contentDigest, dump, dumpLine } from "../../../builder/api/dump.ts";
import { pack } from "../../../builder/api/pack.ts";
import { readImage } from "../../../builder/api/read-image.ts";
import { treeOfDump } from "../../../builder/dump/parse-dump.ts";
import { makeSampleTree } from "../../support/image.ts";
import { skipUnless } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

async function* linesOf(text: string) {
  yield* text.split("\n");
}

const treeOf = (text: string, objects?: string) =>
  treeOfDump(linesOf(text), "d", objects, { mtime: 7 });

skipUnless("xattrs")("every type of file is read back, of lines and of JSON", async () => {
  const dir = temporaryDirectory();
  makeSampleTree(`${dir}/source`);
  const image = `${dir}/one.sfs`;
  await pack({
    input: `${dir}/source`,
    output: image,
    keepMtimes: true,
    keepOwners: true,
    devices: true,
  });
  const store = `${dir}/store`;
  mkdirSync(`${store}/sha256`, { recursive: true });
  const records: Parameters<typeof dumpLine>[0][] = [];
  await dump({ input: image }, (record) => {
    records.push(record);
  });
  await readImage(image, async ({ entries, stream }) => {
    let count = 0;
    for (const { path, kind } of entries) {
      if (kind !== "file" || path.includes("\ufffd")) continue;
      const parts: Buffer[] = [];
      for await (const part of stream(path)) parts.push(Buffer.from(part));
      const bytes = Buffer.concat(parts);
      const hex = createHash("sha256").update(bytes).digest("hex");
      mkdirSync(`${store}/${hex.slice(0, 2)}`, { recursive: true });
      const places = [hex, `${hex.slice(0, 2)}/${hex.slice(2)}`, `sha256/${hex}`];
      writeFileSync(`${store}/${places[count++ % 3]}`, bytes);
    }
    writeFileSync(`${store}/${createHash("sha256").update("4").digest("hex")}`, "4");
  });
  const texts = [records.map(dumpLine), records.map((one) => JSON.stringify(one))];
  const expected = await contentDigest({ input: image });
  for (const [i, lines] of texts.entries()) {
    writeFileSync(`${dir}/dump`, `${lines.join("\n")}\n`);
    const output = `${dir}/back-${i}.sfs`;
    await pack({ fromDump: `${dir}/dump`, objects: store, output, devices: true });
    expect(await contentDigest({ input: output })).toBe(expected);
  }
});

test("what a dump leaves out is what is usual", async () => {
  const tree = await treeOf("/ dir 0700 - - -\n/e file 0600 - 0 -\n");
  expect(tree.root).toMatchObject({ mode: 0o700, uid: 0, mtime: 7 });
  expect(tree.get("e")).toMatchObject({ kind: "file", mode: 0o600, mtime: 7 });
});

describe("a line is refused", () => {
  const root = "/ dir 0755 0:0 - 1\n";
  const wrong: Record<string, [string, RegExp]> = {
    "with a relative path": ["x dir 0755 0:0 - 1", /d:2: a path does not start with a slash/],
    "that leads upwards": ["/../x dir 0755 0:0 - 1", /reserved|folder that it is in/],
    "without its folder": ["/a/b dir 0755 0:0 - 1", /folder that it is in has no line/],
    "below a file": ["/f file 0644 0:0 0 1\n/f/g file 0644 0:0 0 1", /folder that it is in/],
    twice: ["/a dir 0755 0:0 - 1\n/a dir 0755 0:0 - 1", /already taken/],
    "of no type": ["/a door 0755 0:0 - 1", /no type "door"/],
    "with a large mode": ["/a dir 10000 0:0 - 1", /its mode/],
    "with a negative owner": ["/a dir 0755 -1:0 - 1", /its owner/],
    "with a time that is none": ["/a dir 0755 0:0 - 1e3", /its time/],
    "of a file without contents": ["/a file 0644 0:0 3 1", /no sha256=/],
    "with a short digest": ["/a file 0644 0:0 3 1 sha256=ab", /64 hexadecimal/],
    "of a link without target": ["/a link 0777 0:0 - 1", /no target=/],
    "of a device without numbers": ["/a char 0600 0:0 - 1", /no device=/],
    "with a device that is too large": ["/a char 0600 0:0 - 1 device=4096:0", /its device/],
    "with a first name that comes later": ["/a file 0644 0:0 0 1 links=2 first=/b", /first name/],
    "with an escape that is none": ["/a\\y dir 0755 0:0 - 1", /begins no/],
    "with a byte that is not escaped": ["/\u00e9 dir 0755 0:0 - 1", /not escaped/],
    "with a word that is none": ["/a dir 0755 0:0 - 1 word", /no KEY=VALUE/],
    "of JSON that is cut off": ['{"path":"/a"', /no JSON/],
  };
  for (const [name, [line, message]] of Object.entries(wrong)) {
    test(name, async () => {
      await expect(treeOf(`${root}${line}\n`)).rejects.toThrow(message);
    });
  }

  test("where there is none", async () => {
    await expect(
      treeOfDump((async function* () {})(), "d", undefined, { mtime: 1 }),
    ).rejects.toThrow(/is empty/);
  });
});
