/** Files of images that others replace, by rename, while they are read: of two files nothing is mixed. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BundleError } from "../../../builder/errors.ts";
import { readBase } from "../../../builder/export/base-image.ts";
import { openArchive } from "../../../builder/oci/archive.ts";
import { DockerArchiveSource } from "../../../builder/oci/docker-archive.ts";
import { FolderFiles } from "../../../builder/oci/files.ts";
import { LayoutSource } from "../../../builder/oci/layout.ts";
import { LayoutSink } from "../../../builder/oci/layout-sink.ts";
import { readImage } from "../../../builder/oci/read-image.ts";
import { parseReference } from "../../../builder/oci/reference.ts";
import { contentsOf } from "../../../builder/oci/registry/upload.ts";
import { Staging } from "../../../builder/oci/staging.ts";
import { readContents } from "../../../builder/tree/read-contents.ts";
import type { Tree } from "../../../builder/tree/tree.ts";
import { blobFile, Layout, named, sha256, types } from "../../support/oci.ts";
import { tarOf } from "../../support/tar.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

/** Of one size, and a file lies elsewhere in each. */
const archives = {
  one: tarOf({ name: "app", data: "one" }, { name: "one" }),
  two: tarOf({ name: "two" }, { name: "app", data: "two" }),
};

let dir: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** Puts new files with these bytes at a path, one after the other, until the test is over. */
function replacing(file: string, ...contents: Buffer[]): void {
  const from = mkdtempSync(`${dir}/from-`);
  const names = contents.map((bytes, i) => {
    writeFileSync(`${from}/${i}`, bytes);
    return `${from}/${i}`;
  });
  const script = `const { copyFileSync, renameSync } = require("node:fs");
    for (;;) for (const name of ${JSON.stringify(names)}) {
      copyFileSync(name, name + ".copy");
      renameSync(name + ".copy", ${JSON.stringify(file)});
    }`;
  children.push(spawn(process.execPath, ["-e", script], { stdio: "ignore" }));
}

const read = (name: string) =>
  readImage(parseReference(name), {
    arch: "x86_64",
    devices: false,
    workspace: mkdtempSync(`${dir}/work-`),
    registry: {},
    step() {},
  });

async function appOf(tree: Tree): Promise<string> {
  const node = tree.get("app");
  if (node?.kind !== "file") throw new Error("there is no app");
  const parts: Uint8Array[] = [];
  for await (const part of readContents(node.contents)) parts.push(part);
  return Buffer.concat(parts).toString("latin1");
}

/** What an image was each time: the one or the other one, or a code of the refusals that are expected. */
async function readings(name: string, refusals: readonly string[]): Promise<Set<string>> {
  const seen = new Set<string>();
  for (let i = 0; i < 500; i++) {
    try {
      const { tree } = await read(name);
      const app = await appOf(tree);
      // The name and the contents are of one archive.
      seen.add(`${app} of ${tree.get("one") === undefined ? "two" : "one"}`);
    } catch (cause) {
      const { code = `${cause}` } = cause as { code?: string };
      if (!refusals.includes(code)) seen.add(code);
    }
  }
  return seen;
}

test("a layer has the bytes whose digest was checked, or it is refused", async () => {
  const layout = new Layout(`${dir}/layout`);
  const layer = layout.layer(archives.one, "none");
  layout.index(layout.image([archives.one], { layers: [layer] }));
  replacing(blobFile(layout.dir, layer.digest), archives.one, archives.two);
  const seen = await readings(`oci:${layout.dir}`, ["E_OCI_DIGEST", "E_FILE_CHANGED"]);
  expect([...seen]).toEqual(["one of one"]);
});

test("a root in an archive has names and contents of one archive", async () => {
  writeFileSync(`${dir}/root.tar`, archives.one);
  replacing(`${dir}/root.tar`, archives.one, archives.two);
  const seen = await readings(`tar:${dir}/root.tar`, ["E_FILE_CHANGED"]);
  expect([...seen].filter((one) => !["one of one", "two of two"].includes(one))).toEqual([]);
  expect(seen.size).toBeGreaterThan(0);
});

/** An archive of docker save with one image of a layer. @param before a member of this name stands before the rest */
function saved(layer: Buffer, before = ""): Buffer {
  const config = { architecture: "amd64", os: "linux", rootfs: { diff_ids: [sha256(layer)] } };
  return tarOf(
    ...(before === "" ? [] : [{ name: before }]),
    { name: "c.json", data: JSON.stringify(config) },
    { name: "layer.tar", data: layer },
    { name: "manifest.json", data: JSON.stringify([{ Config: "c.json", Layers: ["layer.tar"] }]) },
  );
}

test("members of an archive are not looked for in another one", async () => {
  const archive = `${dir}/saved.tar`;
  writeFileSync(archive, saved(archives.one));
  const source = new DockerArchiveSource(await openArchive(archive, () => ""), undefined);
  writeFileSync(`${dir}/other`, saved(archives.two, "before"));
  renameSync(`${dir}/other`, archive);
  await expect(source.root()).rejects.toMatchObject({ code: "E_FILE_CHANGED", path: archive });
});

/** The one layer of a base, whose digest has been checked, and the file of its blob. */
async function checkedBase() {
  const layout = new Layout(`${dir}/base`);
  const layer = layout.layer(archives.one, "none");
  layout.index(named(layout.image([archives.one], { layers: [layer] }), "base"));
  const source = new LayoutSource(new FolderFiles(layout.dir), "base");
  const [base] = (await readBase(source, "x86_64", [])).layers;
  if (base === undefined) throw new Error("the base has no layer");
  return { base, blob: blobFile(layout.dir, layer.digest) };
}

test("a layer of a base that was replaced after its digest was checked goes nowhere", async () => {
  const { base, blob } = await checkedBase();
  expect(statSync(blob).size).toBe(archives.two.length);
  writeFileSync(`${dir}/other`, archives.two);
  renameSync(`${dir}/other`, blob);
  const changed = { code: "E_FILE_CHANGED", path: blob };
  mkdirSync(`${dir}/staging`);
  const sink = new LayoutSink(`${dir}/made`, new Staging(`${dir}/staging`));
  await sink.blob(base.descriptor, base.region);
  await expect(sink.manifest(types.manifest, Buffer.from("{}"), ["it"])).rejects.toMatchObject(
    changed,
  );
  expect(existsSync(`${dir}/made`)).toBe(false);
  await expect(contentsOf(base.region, base.descriptor, "a registry")).rejects.toMatchObject(
    changed,
  );
});

test("a layer that is cut off while it is copied is refused", async () => {
  const { base, blob } = await checkedBase();
  truncateSync(blob, 512);
  mkdirSync(`${dir}/staging`);
  const sink = new LayoutSink(`${dir}/made`, new Staging(`${dir}/staging`));
  await sink.blob(base.descriptor, base.region);
  await expect(sink.manifest(types.manifest, Buffer.from("{}"), ["it"])).rejects.toMatchObject({
    code: "E_FILE_CHANGED",
    path: blob,
  });
  expect(existsSync(`${dir}/made`)).toBe(false);
});

test("a file that goes while it is looked at is said to be gone, or is not there", async () => {
  const reads: ((file: string) => Promise<unknown>)[] = [
    (file) => new FolderFiles(path.dirname(file)).region(path.basename(file)),
    (file) => openArchive(file, () => `${file}.copy`),
  ];
  const strange: unknown[] = [];
  for (let i = 0; i < 400; i++) {
    const file = `${dir}/going-${i}`;
    writeFileSync(file, archives.one);
    const reading = reads[i % 2]?.(file).catch((cause: unknown) => {
      const isTold =
        cause instanceof BundleError && /^E_(FILE_UNREADABLE|INPUT_MISSING)$/.test(cause.code);
      if (!isTold) strange.push(cause);
    });
    for (let turn = 0; turn < i % 20; turn++) await new Promise(setImmediate);
    rmSync(file);
    await reading;
  }
  expect(strange).toEqual([]);
});
