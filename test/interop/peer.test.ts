/** Images of mksquashfs through our reader, and our images beside those of mksquashfs. */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { beforeAll, describe, expect } from "vitest";
import { treeFromDirectory } from "../../builder/input/add-directory.ts";
import { openImage } from "../../builder/squashfs/image-reader.ts";
import type { WriteOptions } from "../../builder/squashfs/squashfs-options.ts";
import { writeSquashfs } from "../../builder/squashfs/writer.ts";
import {
  freshName,
  makeSampleTree,
  prose,
  type Snapshot,
  snapshot,
  withMounted,
} from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { fuselage, isRoot } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let dir: string;
let source: string;
let expected: Record<string, Snapshot>;

beforeAll(() => {
  dir = temporaryDirectory();
  source = `${dir}/source`;
  makeSampleTree(source);
  expected = snapshot(source);
});

function mksquashfs(from: string, args: string[]): string {
  const image = `${dir}/${freshName()}`;
  const quiet = ["-quiet", "-no-progress", "-noappend"];
  execFileSync("mksquashfs", [from, image, ...quiet, ...args], { stdio: "ignore" });
  return image;
}

const codecs = ["gzip", "xz", "lz4", "zstd"];
const blockSizes = ["4096", "131072", "1048576"];

const variants = [
  ...codecs.flatMap((codec) => blockSizes.map((size) => ["-comp", codec, "-b", size])),
  ["-no-fragments"],
  ["-always-use-fragments"],
  ["-no-exports"],
  ["-no-duplicates"],
  ["-noI", "-noD", "-noF", "-noX"],
  ["-comp", "xz", "-Xbcj", "x86"],
];

describe.each(variants.map((args) => [args.join(" "), args] as const))(
  "mksquashfs %s",
  (_, args) => {
    skipUnless("mksquashfs", "xattrs")("is extracted as it was", async () => {
      const image = mksquashfs(source, [...args]);
      const fd = openSync(image, "r");
      const reader = openImage(fd, 0, image);
      const target = `${dir}/${freshName()}`;
      mkdirSync(target, { mode: 0o700 });
      const all = { owners: isRoot, devices: isRoot, privilegedXattrs: isRoot };
      await reader.extract(target, { setId: true, ...all });
      const paths = (await reader.list()).map(({ path }) => path).sort();
      reader.close();
      closeSync(fd);
      const found = snapshot(target);
      expect(paths).toEqual(Object.keys(expected).sort());
      expect(found).toEqual(expected);
    });
  },
);

/** Many small files, as programs have them, and compiled code. */
function makeProgramTree(target: string): void {
  mkdirSync(target);
  copyFileSync(fuselage, `${target}/program`);
  for (let d = 0; d < 5; d++) {
    mkdirSync(`${target}/package-${d}`);
    for (let f = 0; f < 40; f++) {
      const size = ((d * 40 + f) * 7919) % 20_000;
      writeFileSync(
        `${target}/package-${d}/${f}.${["js", "ts", "map"][f % 3]}`,
        prose(size, `${d} ${f}`),
      );
    }
    writeFileSync(`${target}/package-${d}/large.js`, prose(400_000 + d * 1000, `${d}`));
  }
}

describe("beside mksquashfs", () => {
  const level = (codec: string, number: number) => [
    ...["-comp", codec],
    ...["-Xcompression-level", `${number}`],
  ];
  const settings: [WriteOptions, string[]][] = [
    [{ compression: "zstd", level: 15 }, level("zstd", 15)],
    [{ compression: "zstd", level: 3, blockSize: 4096 }, level("zstd", 3)],
    [{ compression: "gzip", level: 9 }, level("gzip", 9)],
    [{ compression: "gzip", level: 1, blockSize: 1 << 20 }, level("gzip", 1)],
    [
      { compression: "gzip", variants: ["default", "filtered", "huffman-only"] },
      [...level("gzip", 9), "-Xstrategy", "default,filtered,huffman_only"],
    ],
    [{ compression: "xz" }, ["-comp", "xz"]],
    [{ compression: "xz", variants: ["x86"] }, ["-comp", "xz", "-Xbcj", "x86"]],
    [{ compression: "lz4" }, ["-comp", "lz4"]],
    [{ compression: "lz4", level: 12 }, ["-comp", "lz4", "-Xhc"]],
  ];
  for (const [options, args] of settings) {
    skipUnless("mksquashfs")(`${JSON.stringify(options)}: not 1 % larger`, async () => {
      const from = `${dir}/${freshName()}`;
      makeProgramTree(from);
      const block = ["-b", `${options.blockSize ?? 131072}`];
      const peer = mksquashfs(from, [...args, ...block, "-all-root"]);
      const image = `${dir}/${freshName()}`;
      const facts = await writeSquashfs(await treeFromDirectory(from), { path: image }, options);
      expect(facts.bytes).toBeLessThanOrEqual(
        Number(readFileSync(peer).readBigUInt64LE(40)) * 1.01,
      );
      expect(statSync(image).size).toBe(facts.paddedBytes);
    });
  }
});

skipUnless(
  "root",
  "loop",
  "mksquashfs",
)("the kernel shows both alike", async () => {
  const options = { mtime: "keep", owners: "keep" } as const;
  const image = `${dir}/${freshName()}`;
  await writeSquashfs(await treeFromDirectory(source, { devices: true }), { path: image }, options);
  const shown: Record<string, Snapshot>[] = [];
  for (const each of [image, mksquashfs(source, [])]) {
    withMounted(each, (mounted) => shown.push(snapshot(mounted)));
  }
  expect(shown[0]).toEqual(shown[1]);
});
