/** Archives of GNU tar and bsdtar, packed: the same as the folder that they were made of. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { diff } from "../../builder/api/diff.ts";
import { pack } from "../../builder/api/pack.ts";
import { makeSampleTree } from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { bundleCommand, isRoot } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let dir: string;
let source: string;
let original: string;

const keep = { keepMtimes: true, keepOwners: true, devices: true } as const;

beforeAll(async () => {
  dir = temporaryDirectory();
  source = `${dir}/source`;
  makeSampleTree(source);
  original = `${dir}/original.sfs`;
  await pack({ input: source, output: original, ...keep });
});

const differences = async (after: string, xattrs: "all" | "none") =>
  (await diff({ before: original, after, xattrs })).differences.map(
    ({ change, path, fields }) => `${change} ${path} ${fields}`,
  );

const formats = [
  ["--format=pax", "--xattrs", "--xattrs-include=*"],
  ["--format=gnu"],
  ["--format=pax", "--sparse", "--sparse-version=0.0"],
  ["--format=pax", "--sparse", "--sparse-version=0.1"],
  ["--format=pax", "--sparse", "--sparse-version=1.0"],
  ["--format=oldgnu", "--sparse"],
  ["--format=pax", "--gzip"],
  ["--format=pax", "--xz"],
];

describe("GNU tar", () => {
  for (const args of formats) {
    skipUnless("xattrs")(args.join(" "), async () => {
      const archive = `${dir}/archive.tar`;
      execFileSync("tar", [...args, "-C", source, "-cf", archive, "."], { stdio: "ignore" });
      const output = `${dir}/packed.sfs`;
      await pack({ input: archive, output, ...keep });
      const xattrs = args.includes("--xattrs") && isRoot ? "all" : "none";
      expect(await differences(output, xattrs)).toEqual([]);
    });
  }
});

test("a compressed archive on standard input", async () => {
  const output = `${dir}/packed.sfs`;
  const archive = `${dir}/piped.tar`;
  execFileSync("tar", ["--format=gnu", "-C", source, "-cf", archive, "."], { stdio: "ignore" });
  const input = gzipSync(readFileSync(archive));
  const args = ["pack", "-", "-o", output, "--keep-mtimes", "--keep-owners", "--devices"];
  execFileSync(process.execPath, [bundleCommand, ...args], { input });
  expect(await differences(output, "none")).toEqual([]);
});

test("an image packed again in another codec", async () => {
  const output = `${dir}/again.sfs`;
  await pack({ input: original, output, compression: "lz4", keepMtimes: true, keepOwners: true });
  expect(await differences(output, "all")).toEqual([]);
});
