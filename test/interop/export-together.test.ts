/** Several exports into one image layout at the same time, some of them killed, and beside tools that know no lock. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pack } from "../../builder/api/pack.ts";
import { FolderFiles } from "../../builder/oci/files.ts";
import { LayoutSource } from "../../builder/oci/layout.ts";
import { changeIndex, readIndex } from "../../builder/oci/layout-index.ts";
import { checkLayout, LayoutSink } from "../../builder/oci/layout-sink.ts";
import { type StagedBlob, Staging } from "../../builder/oci/staging.ts";
import { writeFiles } from "../support/case.ts";
import { sha256 } from "../support/oci.ts";
import { bundle, bundleCommand, type Outcome } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const REF_NAME = "org.opencontainers.image.ref.name";
let dir: string;
let count = 0;
const children: ChildProcess[] = [];

beforeAll(async () => {
  dir = temporaryDirectory();
  writeFiles(`${dir}/app`, { file: "contents" });
  await pack({ input: `${dir}/app`, output: `${dir}/app.sfs` });
});

afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
});

const newName = () => `${dir}/layout-${count++}`;
const words = (folder: string, tag: string) => [
  "export",
  `${dir}/app.sfs`,
  "--to",
  `oci:${folder}:${tag}`,
];
const one = (folder: string, tag: string) => bundle(words(folder, tag));
const many = (folder: string, tags: readonly string[]) =>
  Promise.all(tags.map((tag) => one(folder, tag)));
const named = (letter: string, number: number) =>
  Array.from({ length: number }, (_, i) => `${letter}${i}`);

interface Entry {
  digest: string;
  annotations: Record<string, string>;
}
const indexOf = (folder: string) =>
  JSON.parse(readFileSync(`${folder}/index.json`, "utf8")) as { manifests: Entry[] };
const tagsIn = (folder: string) =>
  indexOf(folder)
    .manifests.map(({ annotations }) => annotations[REF_NAME])
    .sort();
const allWell = (outcomes: readonly Outcome[]) =>
  expect(outcomes.map(({ status, stderr }) => (status === 0 ? "" : stderr))).toEqual(
    outcomes.map(() => ""),
  );
const temporariesIn = (folder: string) =>
  (readdirSync(folder, { recursive: true }) as string[]).filter((name) => name.includes(".tmp"));

test("exports of a layout that none of them finds there all have their tag in it", async () => {
  const folder = newName();
  const tags = named("t", 5);
  allWell(await many(folder, tags));
  expect(tagsIn(folder)).toEqual(tags);
  expect(temporariesIn(dir)).toEqual([]);
});

test("a layout that appears while an export looks at what has its name is one to add to", async () => {
  const made = newName();
  allWell([await one(made, "first")]);
  // With one name the export still finds nothing, with another the layout already, or an empty folder, then a full one.
  for (let i = 0; i < 300; i++) {
    const name = `${dir}/appearing-${i}`;
    if (i % 2) mkdirSync(name);
    const checked = checkLayout(name);
    renameSync(made, name);
    try {
      await checked;
    } finally {
      renameSync(name, made);
    }
  }
});

test("exports into a layout that is there all have their tag in it, and its index is whole at any time", async () => {
  const folder = newName();
  allWell([await one(folder, "first")]);
  const tags = named("t", 5);
  let isDone = false;
  const made = many(folder, tags).finally(() => {
    isDone = true;
  });
  while (!isDone) {
    expect(tagsIn(folder)).toContain("first");
    await setTimeout(1);
  }
  allWell(await made);
  expect(tagsIn(folder)).toEqual(["first", ...tags]);
  expect(temporariesIn(folder)).toEqual([]);
});

test("a blob that another export has put there meanwhile stays the file that it is", async () => {
  const folder = newName();
  allWell([await one(folder, "first")]);
  const staging = new Staging(temporaryDirectory());
  const sink = new LayoutSink(folder, staging);
  const type = "application/octet-stream";
  const blobs = await Promise.all(["a", "b"].map((text) => staging.bytes(type, Buffer.from(text))));
  const placeOf = (digest: string) => `${folder}/blobs/${digest.replace(":", "/")}`;
  const [{ descriptor, region }, other] = blobs as [StagedBlob, StagedBlob];
  const place = placeOf(descriptor.digest);
  let ino: number | undefined;
  await sink.blob(descriptor, region);
  await sink.blob(other.descriptor, {
    ...other.region,
    // Read when the first one has been copied, and has no name yet.
    get path() {
      if (ino === undefined) copyFileSync(region.path, place);
      ino ??= statSync(place).ino;
      return other.region.path;
    },
  });
  await sink.manifest(type, Buffer.from("{}"), ["second"]);
  expect(statSync(place).ino).toBe(ino);
  expect(readFileSync(place, "utf8")).toBe("a");
  expect(readFileSync(placeOf(other.descriptor.digest), "utf8")).toBe("b");
  expect(tagsIn(folder)).toEqual(["first", "second"]);
  expect(temporariesIn(folder)).toEqual([]);
});

test("a blob that is damaged is replaced", async () => {
  const folder = newName();
  allWell([await one(folder, "first")]);
  const blobs = `${folder}/blobs/sha256`;
  for (const name of readdirSync(blobs)) writeFileSync(`${blobs}/${name}`, "damaged");
  allWell([await one(folder, "first")]);
  for (const name of readdirSync(blobs)) {
    expect(sha256(readFileSync(`${blobs}/${name}`))).toBe(`sha256:${name}`);
  }
  expect(temporariesIn(folder)).toEqual([]);
});

test("exports that are killed take nothing from others, and what they left in the index is whole", async () => {
  const folder = newName();
  allWell([await one(folder, "first")]);
  const killed = named("k", 6).map((tag, i) => {
    const child = spawn(process.execPath, [bundleCommand, ...words(folder, tag)], {
      stdio: "ignore",
    });
    children.push(child);
    return setTimeout(300 + 150 * i).then(() => child.kill("SIGKILL"));
  });
  const tags = named("t", 4);
  allWell(await many(folder, tags));
  await Promise.all(killed);
  allWell([await one(folder, "last")]);
  expect(tagsIn(folder)).toEqual(expect.arrayContaining(["first", "last", ...tags]));
  for (const { digest } of indexOf(folder).manifests) {
    expect(sha256(readFileSync(`${folder}/blobs/${digest.replace(":", "/")}`))).toBe(digest);
  }
});

test("an export waits for whoever has the lock, and not for who was killed with it", async () => {
  const folder = newName();
  allWell([await one(folder, "first")]);
  // Its child is the program: a shell between them would keep the lock.
  const holder = spawn("flock", ["--no-fork", folder, "sh", "-c", "echo; exec sleep 600"]);
  children.push(holder);
  await once(holder.stdout, "data");
  let isDone = false;
  const made = changeIndex(folder, (there) => {
    isDone = true;
    return there;
  });
  await setTimeout(300);
  expect(isDone).toBe(false);
  holder.kill("SIGKILL");
  await made;
  expect(isDone).toBe(true);
});

test("what a tool without a lock adds while the index is written stays", async () => {
  const folder = newName();
  allWell([await one(folder, "first")]);
  const [first] = indexOf(folder).manifests;
  const entry = (tag: string) => ({ ...first, annotations: { [REF_NAME]: tag } }) as never;
  const seen: number[] = [];
  await changeIndex(folder, (there) => {
    if (seen.push(there.length) === 1) {
      const index = indexOf(folder);
      index.manifests.push(entry("other"));
      writeFileSync(`${folder}/other`, JSON.stringify(index));
      renameSync(`${folder}/other`, `${folder}/index.json`);
    }
    return [...there, entry("own")];
  });
  expect(seen).toEqual([1, 2]);
  expect(tagsIn(folder)).toEqual(["first", "other", "own"]);
});

test("an index is read as it is at one moment, also where it is replaced all the time", async () => {
  const folder = newName();
  allWell([await one(folder, "first")]);
  const [first] = indexOf(folder).manifests;
  const names = ["short", "long"].map((name, i) => {
    const manifests = Array.from({ length: 1 + 200 * i }, () => first);
    writeFileSync(`${dir}/${name}`, JSON.stringify({ schemaVersion: 2, manifests }));
    return `${dir}/${name}`;
  });
  const script = `const { copyFileSync, renameSync } = require("node:fs");
    for (;;) for (const name of ${JSON.stringify(names)}) {
      copyFileSync(name, name + ".copy");
      renameSync(name + ".copy", ${JSON.stringify(`${folder}/index.json`)});
    }`;
  const replacing = spawn(process.execPath, ["-e", script], { stdio: "ignore" });
  children.push(replacing);
  const lengths = new Set<unknown>();
  const end = Date.now() + 60_000;
  for (let reads = 0; (reads < 2000 || lengths.size < 2) && Date.now() < end; reads++) {
    const { manifests } = await readIndex(new FolderFiles(folder));
    lengths.add((manifests as unknown[]).length);
    const root = await new LayoutSource(new FolderFiles(folder), "first").root();
    expect(root.digest).toBe(first?.digest);
  }
  replacing.kill("SIGKILL");
  expect([...lengths].sort()).toEqual([1, 201]);
});

test("what an index says beside its images stays", async () => {
  const folder = newName();
  allWell([await one(folder, "first")]);
  const annotations = { "org.example.of": "the layout" };
  writeFileSync(`${folder}/index.json`, JSON.stringify({ ...indexOf(folder), annotations }));
  allWell([await one(folder, "second")]);
  expect(indexOf(folder)).toMatchObject({ schemaVersion: 2, annotations });
  expect(tagsIn(folder)).toEqual(["first", "second"]);
});
