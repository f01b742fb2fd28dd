import { closeSync, openSync, readFileSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { NONE } from "../../../builder/native/addon.ts";
import { writeContents } from "../../../builder/squashfs/contents.ts";
import { planTree } from "../../../builder/squashfs/plan.ts";
import { resolveOptions, type WriteOptions } from "../../../builder/squashfs/squashfs-options.ts";
import { type FileNode, fileNode } from "../../../builder/tree/node.ts";
import { Tree } from "../../../builder/tree/tree.ts";
import { noise, slowNoise } from "../../support/image.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const blockSize = 4096;
const stored = 1 << 24;

let image: string;

beforeEach(() => {
  image = `${temporaryDirectory()}/image`;
});

function planOf(nodes: FileNode[]) {
  const tree = new Tree();
  for (const [i, node] of nodes.entries()) tree.add(String(i).padStart(3, "0"), node);
  return planTree(tree);
}

/** Lays the files out in the order given: their names are numbers. */
async function write(nodes: FileNode[], options: WriteOptions = { compression: "none" }) {
  const plan = planOf(nodes);
  const fd = openSync(image, "w");
  try {
    const place = { fd, imageOffset: 1000, dataOffset: 96, shown: "image" };
    const all = { blockSize, ...options };
    const written = await writeContents(plan, place, resolveOptions(all, 2), all);
    const layouts = [...plan.files].map((number) => {
      const layout = written.layout(number);
      return { ...layout, blocks: [...layout.blocks] };
    });
    return { ...written, layouts, bytes: readFileSync(image).subarray(1000) };
  } finally {
    closeSync(fd);
  }
}

test("blocks follow each other, tails and small files share a fragment", async () => {
  const large = noise(2 * blockSize + 10);
  const { layouts, bytes, fragmentCount, fragments, end, blocks } = await write([
    fileNode(large),
    fileNode("small"),
  ]);
  expect(layouts).toEqual([
    {
      size: large.length,
      start: 96,
      blocks: [stored | blockSize, stored | blockSize],
      sparse: 0,
      fragment: 0,
      fragmentOffset: 0,
    },
    { size: 5, start: 0, blocks: [], sparse: 0, fragment: 0, fragmentOffset: 10 },
  ]);
  expect([fragmentCount, blocks]).toEqual([1, 3]);
  const start = 96 + 2 * blockSize;
  expect(fragments.readBigUInt64LE(0)).toBe(BigInt(start));
  expect(fragments.readUInt32LE(8)).toBe(stored | 15);
  expect(bytes.subarray(96, start)).toEqual(large.subarray(0, 2 * blockSize));
  expect(bytes.subarray(start + 10, end).toString()).toBe("small");
});

test("what resembles each other shares a fragment, behind what a start reads", async () => {
  const kinds = ["a", "b", "c"].map((seed) => noise(1200, seed));
  // a0 b0 c0 a1 b1 c1 ...: three fit into a fragment.
  const nodes = Array.from({ length: 12 }, (_, i) => {
    const text = Buffer.concat([kinds[i % 3] as Buffer, Buffer.from(`${i}`)]);
    return fileNode(text);
  });
  const first = [nodes[7] as FileNode, nodes[2] as FileNode];
  const { layouts } = await write(nodes, { compression: "none", order: "similarity", first });
  const fragments = new Map<number, number[]>();
  for (const [i, { fragment }] of layouts.entries()) {
    fragments.set(fragment, [...(fragments.get(fragment) ?? []), i]);
  }
  // What is ahead, and one like it; then the first that has no place, and its like.
  expect([...fragments].sort(([a], [b]) => a - b).map(([, files]) => files)).toEqual([
    [2, 5, 7],
    [0, 3, 6],
    [1, 4, 10],
    [8, 9, 11],
  ]);
});

test("an end that is stored is in no fragment of those that are not, whatever it resembles", async () => {
  const kinds = ["a", "b", "c"].map((seed) => noise(1200, seed));
  // a, which is stored, a0 b0 c0 a1 b1 c1 ...: three fit into a fragment.
  const texts = Array.from({ length: 10 }, (_, i) => [kinds[Math.max(0, i - 1) % 3], `${i}`]);
  const nodes = texts.map(([kind, own]) =>
    fileNode(Buffer.concat([kind as Buffer, Buffer.from(own as string)])),
  );
  const first = [nodes[0] as FileNode];
  const stored = new Map([[nodes[0] as FileNode, [0]]]);
  const { layouts } = await write(nodes, { level: 15, order: "similarity", first, stored });
  const fragments = new Map<number, number[]>();
  for (const [i, { fragment }] of layouts.entries()) {
    fragments.set(fragment, [...(fragments.get(fragment) ?? []), i]);
  }
  expect([...fragments.values()]).toEqual([[0], [1, 4, 7], [2, 5, 8], [3, 6, 9]]);
});

test("a fragment holds a block's worth", async () => {
  const nodes = [3000, 2000, 1000].map((size) => fileNode(noise(size, `${size}`)));
  const { layouts, fragmentCount } = await write(nodes);
  expect(fragmentCount).toBe(2);
  expect(layouts.map(({ fragment, fragmentOffset }) => [fragment, fragmentOffset])).toEqual([
    [0, 0],
    [1, 0],
    [1, 2000],
  ]);
});

test("an empty file is nowhere", async () => {
  const { layouts, end, contentBytes } = await write([fileNode("")]);
  expect(layouts[0]).toMatchObject({ size: 0, blocks: [], fragment: NONE });
  expect([end, contentBytes]).toEqual([96, 0]);
});

test("zeros take no space, in blocks and at the end of a file that has blocks", async () => {
  const bytes = Buffer.concat([Buffer.alloc(blockSize), noise(blockSize), Buffer.alloc(7)]);
  const { layouts, sparseBytes, fragmentCount } = await write([fileNode(bytes)]);
  expect(layouts[0]).toMatchObject({
    blocks: [0, stored | blockSize, 0],
    sparse: blockSize + 7,
    fragment: NONE,
  });
  expect([sparseBytes, fragmentCount]).toEqual([blockSize + 7, 0]);
});

test("equal contents are written once, whatever their size", async () => {
  const nodes = [1, 10, blockSize, 3 * blockSize + 5].flatMap((size) => [
    fileNode(noise(size)),
    fileNode(noise(size)),
  ]);
  const { layouts, duplicates, end } = await write(nodes);
  expect(duplicates).toBe(4);
  for (let i = 0; i < nodes.length; i += 2) expect(layouts[i + 1]).toEqual(layouts[i]);
  expect(end).toBe(96 + 4 * blockSize + 5 + 11);
});

test("equal sizes are not taken for equal contents", async () => {
  const { duplicates } = await write([
    ...["a", "b", "c"].map((seed) => fileNode(noise(100, seed))),
    ...["a", "b", "c"].map((seed) => fileNode(noise(2 * blockSize, seed))),
  ]);
  expect(duplicates).toBe(0);
});

test("a duplicate is found in a fragment that is closed already", async () => {
  const nodes = [10, 4000, 4001, 10].map((size) => fileNode(noise(size)));
  const { layouts, duplicates } = await write(nodes);
  expect(duplicates).toBe(1);
  expect(layouts[3]).toEqual(layouts[0]);
});

test.each(["zstd", "gzip"] as const)("%s: what does not shrink is stored", async (compression) => {
  const nodes = [fileNode(noise(blockSize)), fileNode(Buffer.alloc(blockSize, "text "))];
  const { layouts } = await write(nodes, { compression });
  expect(layouts[0]?.blocks).toEqual([stored | blockSize]);
  expect(layouts[1]?.blocks[0]).toBeLessThan(100);
});

test("progress ends with everything", async () => {
  const reports: unknown[] = [];
  const exact = fileNode(noise(2 * blockSize));
  const nodes = [
    fileNode(noise(3 * blockSize + 1)),
    fileNode("x"),
    fileNode("x"),
    exact,
    fileNode(""),
  ];
  await write(nodes, { compression: "none", onProgress: (progress) => reports.push(progress) });
  const total = 5 * blockSize + 3;
  const all = { bytes: total, totalBytes: total, files: 5, totalFiles: 5 };
  expect(reports.at(-1)).toEqual(all);
});

test("an aborted signal ends it with the signal's reason", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const nodes = [fileNode(slowNoise(20 << 20))];
  const written = write(nodes, { level: 22, blockSize: 1 << 20, signal: controller.signal });
  setTimeout(() => controller.abort(reason), 50);
  await expect(written).rejects.toBe(reason);
});

test("a descriptor that takes nothing is an output error", async () => {
  const plan = planOf([fileNode(noise(100))]);
  const fd = openSync("/dev/full", "w");
  const place = { fd, imageOffset: 0, dataOffset: 96, shown: "out" };
  await expect(writeContents(plan, place, resolveOptions({}, 1), {})).rejects.toMatchObject({
    code: "E_OUTPUT_NO_SPACE",
    path: "out",
  });
  closeSync(fd);
});
