/** A container image into an image layout that is there: damaged, of another version, led elsewhere. */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { exportImage } from "../../builder/api/export.ts";
import { pack } from "../../builder/api/pack.ts";
import { writeFiles } from "../support/case.ts";
import { skipUnless } from "../support/needs.ts";
import { sha256 } from "../support/oci.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let dir: string;
let count = 0;

beforeAll(async () => {
  dir = temporaryDirectory();
  writeFiles(`${dir}/app`, { file: "contents" });
  await pack({ input: `${dir}/app`, output: `${dir}/app.sfs` });
  await exportImage({ input: `${dir}/app.sfs`, to: `oci:${dir}/good` });
});

/** A copy of a layout, to be spoilt. */
function layout(): string {
  const folder = `${dir}/layout-${count++}`;
  cpSync(`${dir}/good`, folder, { recursive: true });
  return folder;
}

const add = (folder: string) => exportImage({ input: `${dir}/app.sfs`, to: `oci:${folder}:new` });
const blobs = (folder: string) => `${folder}/blobs/sha256`;

const spoilt: [string, string, (folder: string) => void][] = [
  [
    "whose index is a fifo",
    "E_FILE_KIND",
    (folder) => {
      rmSync(`${folder}/index.json`);
      execFileSync("mkfifo", [`${folder}/index.json`]);
    },
  ],
  [
    "whose index is far too large",
    "E_OCI_LIMIT",
    (folder) => {
      truncateSync(`${folder}/index.json`, 5 << 30);
    },
  ],
  [
    "whose index lists no objects",
    "E_OCI_INVALID",
    (folder) => {
      writeFileSync(`${folder}/index.json`, '{"manifests":[null,1]}');
    },
  ],
  [
    "whose index has no texts as annotations",
    "E_OCI_INVALID",
    (folder) => {
      writeFileSync(`${folder}/index.json`, '{"manifests":[{"annotations":5}]}');
    },
  ],
  [
    "of another version",
    "E_OCI_UNSUPPORTED",
    (folder) => {
      writeFileSync(`${folder}/oci-layout`, '{"imageLayoutVersion":"2.0.0"}');
    },
  ],
  [
    "whose version is in a fifo",
    "E_FILE_KIND",
    (folder) => {
      rmSync(`${folder}/oci-layout`);
      execFileSync("mkfifo", [`${folder}/oci-layout`]);
    },
  ],
  [
    "whose blobs are a file",
    "E_OUTPUT_FAILED",
    (folder) => {
      rmSync(`${folder}/blobs`, { recursive: true });
      writeFileSync(`${folder}/blobs`, "");
    },
  ],
  [
    "that has a folder in the place of a blob",
    "E_OUTPUT_FAILED",
    (folder) => {
      for (const name of readdirSync(blobs(folder))) {
        rmSync(`${blobs(folder)}/${name}`);
        mkdirSync(`${blobs(folder)}/${name}/x`, { recursive: true });
      }
    },
  ],
];

describe("a layout", () => {
  test.each(spoilt)("%s is refused, and nothing is left in it", async (_, code, spoil) => {
    const folder = layout();
    spoil(folder);
    const names = () => readdirSync(folder, { recursive: true }).sort();
    const before = names();
    await expect(add(folder)).rejects.toMatchObject({ code });
    expect(names()).toEqual(before);
  });

  test.each(["another content", "links to another content"])(
    "that has %s under a digest gets the right one",
    async (how) => {
      const folder = layout();
      for (const name of readdirSync(blobs(folder))) {
        const file = `${blobs(folder)}/${name}`;
        const wrong = Buffer.alloc(statSync(file).size);
        const elsewhere = `${dir}/wrong-${name}`;
        if (how === "another content") writeFileSync(file, wrong);
        else {
          writeFileSync(elsewhere, wrong);
          rmSync(file);
          symlinkSync(elsewhere, file);
        }
      }
      await add(folder);
      for (const name of readdirSync(blobs(folder))) {
        expect(sha256(readFileSync(`${blobs(folder)}/${name}`))).toBe(`sha256:${name}`);
      }
    },
  );

  test("that shares its blobs by a link of its owner keeps them there", async () => {
    const folder = layout();
    renameSync(`${folder}/blobs`, `${folder}-shared`);
    symlinkSync(`${folder}-shared`, `${folder}/blobs`);
    await expect(add(folder)).resolves.toMatchObject({ tags: ["new"] });
  });

  skipUnless("root")("in which another user leads root elsewhere is refused", async () => {
    for (const name of ["blobs", "blobs/sha256"]) {
      const folder = layout();
      const victim = `${folder}-victim`;
      mkdirSync(victim);
      rmSync(`${folder}/${name}`, { recursive: true });
      symlinkSync(victim, `${folder}/${name}`);
      lchownSync(`${folder}/${name}`, 1000, 1000);
      await expect(add(folder)).rejects.toMatchObject({ code: "E_OUTPUT_FAILED" });
      expect(readdirSync(victim)).toEqual([]);
    }
  });
});

test.each([
  ["oci:", "fifo", "E_EXTRACT_EXISTS"],
  ["oci:", "folder", "E_EXTRACT_EXISTS"],
  ["oci:", "file/x", "E_EXTRACT_FAILED"],
  ["oci-archive:", "fifo", "E_OUTPUT_FAILED"],
  ["oci-archive:", "folder", "E_OUTPUT_DIRECTORY"],
  ["docker-archive:", "nowhere/x", "E_OUTPUT_FAILED"],
  ["docker-archive:", "folder", "E_OUTPUT_DIRECTORY"],
])(
  "what cannot be written to is refused before the input is looked at: %s%s",
  async (kind, name, code) => {
    const place = `${dir}/places-${count++}`;
    writeFiles(place, { "folder/x": "", file: "" });
    execFileSync("mkfifo", [`${place}/fifo`]);
    const made = exportImage({ input: `${dir}/missing.run`, to: `${kind}${place}/${name}` });
    await expect(made).rejects.toMatchObject({ code });
    expect(readdirSync(place).sort()).toEqual(["fifo", "file", "folder"]);
  },
);
