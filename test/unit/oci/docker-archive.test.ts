/** What docker save wrote, by hand: names of files in place of digests, and links in place of layers. */
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { beforeEach, expect, test } from "vitest";
import { openArchive } from "../../../builder/oci/archive.ts";
import { DockerArchiveSource } from "../../../builder/oci/docker-archive.ts";
import { readImage } from "../../../builder/oci/read-image.ts";
import { parseReference } from "../../../builder/oci/reference.ts";
import { sha256 } from "../../support/oci.ts";
import { type Member, tarOf } from "../../support/tar.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const lower = tarOf({ name: "a", data: "lower" }, { name: "b", data: "b" });
const upper = tarOf({ name: "a", data: "upper" });

let dir: string;

beforeEach(() => {
  dir = temporaryDirectory();
});

const configOf = (...layers: Buffer[]) =>
  JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config: { Cmd: ["/a"] },
    rootfs: { type: "layers", diff_ids: layers.map(sha256) },
  });

function save(images: object[], ...members: Member[]): string {
  const archive = `${dir}/saved.tar`;
  const manifest = { name: "manifest.json", data: JSON.stringify(images) };
  writeFileSync(archive, tarOf(...members, manifest));
  return archive;
}

const read = (archive: string, tag = "") =>
  readImage(parseReference(`docker-archive:${archive}${tag}`), {
    arch: "x86_64",
    devices: false,
    workspace: dir,
    registry: {},
    step() {},
  });

const image = { Config: "c.json", RepoTags: ["app:1"], Layers: ["x/layer.tar", "y/layer.tar"] };

const paths = ({ tree }: Awaited<ReturnType<typeof read>>) =>
  [...tree.walk()].map(({ path }) => path).filter((path) => path !== "");

test("layers are read where they lie, through links to others", async () => {
  const archive = save(
    [{ ...image, Layers: ["x/layer.tar", "y/layer.tar", "z/layer.tar", "w/layer.tar"] }],
    { name: "c.json", data: configOf(lower, upper, lower, upper) },
    { name: "x/layer.tar", data: lower },
    { name: "y/layer.tar", data: upper },
    { name: "z/layer.tar", type: "2", linkName: "../x/layer.tar" },
    { name: "w/layer.tar", type: "1", linkName: "y/layer.tar" },
  );
  const found = await read(archive);
  expect(paths(found)).toEqual(["a", "b"]);
  expect(found.tree.get("a")).toMatchObject({ contents: { from: "region", path: archive } });
  expect(found.config.image.cmd).toEqual(["/a"]);
  expect(found.source).toMatch(/^docker-archive:saved\.tar@sha256:[0-9a-f]{64}$/);
});

test("the manifest that is made has the same digest each time", async () => {
  const archive = save(
    [image],
    { name: "c.json", data: configOf(lower, upper) },
    { name: "x/layer.tar", data: gzipSync(lower) },
    { name: "y/layer.tar", data: upper },
  );
  const root = async () =>
    new DockerArchiveSource(await openArchive(archive, () => ""), undefined).root();
  expect(await root()).toEqual(await root());
  expect(paths(await read(archive))).toEqual(["a", "b"]);
});

test("names of images", async () => {
  const members = [
    { name: "c.json", data: configOf(lower) },
    { name: "d.json", data: configOf(upper) },
    { name: "x/layer.tar", data: lower },
    { name: "y/layer.tar", data: upper },
  ];
  const archive = save(
    [
      { Config: "c.json", RepoTags: ["app:1", "app:latest"], Layers: ["x/layer.tar"] },
      { Config: "d.json", RepoTags: null, Layers: ["y/layer.tar"] },
    ],
    ...members,
  );
  for (const tag of [":app:1", ":app", ":docker.io/library/app:1"]) {
    expect(paths(await read(archive, tag)), tag).toEqual(["a", "b"]);
  }
  const code = (wanted: string) => expect.objectContaining({ code: wanted });
  await expect(read(archive)).rejects.toEqual(code("E_OCI_TAG"));
  await expect(read(archive, ":app:2")).rejects.toEqual(
    expect.objectContaining({ code: "E_OCI_TAG", expected: "app:1, app:latest" }),
  );
});

test.each<[string, object[], Member[], string]>([
  ["a layer that is another", [image], [{ name: "x/layer.tar", data: upper }], "E_OCI_DIGEST"],
  ["a layer that is not there", [image], [], "E_OCI_INVALID"],
  [
    "links in a circle",
    [image],
    [{ name: "x/layer.tar", type: "2", linkName: "layer.tar" }],
    "E_OCI_INVALID",
  ],
  [
    "a link out of the archive",
    [image],
    [{ name: "x/layer.tar", type: "2", linkName: "../../../etc/passwd" }],
    "E_OCI_INVALID",
  ],
  ["no image", [], [], "E_OCI_INVALID"],
  ["a list of something else", [{ Config: 7, Layers: [] }], [], "E_OCI_INVALID"],
])("%s", async (_, images, members, code) => {
  const archive = save(
    images,
    { name: "c.json", data: configOf(lower, upper) },
    { name: "y/layer.tar", data: upper },
    ...members,
  );
  await expect(read(archive)).rejects.toEqual(expect.objectContaining({ code }));
});

test("an archive that is cut off, and what is none", async () => {
  const archive = save([image], { name: "x/layer.tar", data: lower });
  const whole = gzipSync(tarOf({ name: "x", data: lower }));
  for (const bytes of [whole.subarray(0, 60), Buffer.from("no tar"), Buffer.alloc(0)]) {
    writeFileSync(archive, bytes);
    await expect(read(archive)).rejects.toEqual(expect.objectContaining({ code: "E_OCI_INVALID" }));
  }
});
