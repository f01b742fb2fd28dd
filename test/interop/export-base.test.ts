/** Container images on a base that says something else than what it is. */
import { existsSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { build } from "../../builder/api/build.ts";
import { exportImage } from "../../builder/api/export.ts";
import { writeFiles } from "../support/case.ts";
import { ImageRegistry } from "../support/image-registry.ts";
import { type Blob, imageOf, Layout, named, types } from "../support/oci.ts";
import { tarOf } from "../support/tar.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let dir: string;
let input: string;
let count = 0;
const tar = tarOf({ name: "bin/", type: "5" });
const zeros = Buffer.alloc(64);

beforeAll(async () => {
  dir = temporaryDirectory();
  writeFiles(`${dir}/app`, { "bin/app": "#!/bin/sh\n" });
  input = `${dir}/app.run`;
  await build({ input: `${dir}/app`, output: input });
});

/** The config of the image that is made on a base. */
async function onBase(make: (layout: Layout) => Blob, kind = "oci") {
  const base = `${dir}/base-${count++}`;
  const layout = new Layout(base);
  layout.index(named(make(layout), "x"));
  const to = `${base}-made`;
  try {
    await exportImage({ input, base: `oci:${base}`, to: `${kind}:${to}` });
  } catch (error) {
    expect(existsSync(to)).toBe(false);
    throw error;
  }
  return imageOf(to);
}

test("a base in the registry that the image goes to is not sent there again", async () => {
  const registry = await new ImageRegistry().start();
  try {
    const { layers } = registry.putImage("1", tar);
    const mounted: string[] = [];
    registry.tricks.push(({ method, url = "" }, response) => {
      const { searchParams } = new URL(url, "http://x");
      if (method === "HEAD" && url.includes("/team/app/blobs/")) response.writeHead(404).end();
      else if (searchParams.get("mount") !== layers[0]?.digest) return false;
      else {
        mounted.push(searchParams.get("from") ?? "");
        response.writeHead(201).end();
      }
      return true;
    });
    const host = `docker://${registry.host}`;
    await exportImage({ input, base: `${host}/team/base:1`, to: `${host}/team/app:2` });
    expect(mounted).toEqual(["team/base"]);
    // The layer of the bundle, and the config.
    expect(registry.count("PUT", "uploads")).toBe(2);
  } finally {
    await registry.close();
  }
});

test.each(["../../other/manifests/x", "x/y", "a?b", "a#b", "%2e%2e", "-x", "x".repeat(129)])(
  "%j is no tag of a registry",
  async (tag) => {
    const registry = await new ImageRegistry().start();
    const made = exportImage({ input, to: `docker://${registry.host}/a/b`, tags: [tag] });
    await expect(made).rejects.toMatchObject({ code: "E_OPTION_VALUE" });
    expect(registry.asked).toEqual([]);
    await registry.close();
  },
);

describe("a base", () => {
  test.each<[string, object]>([
    ["Env", "A=1"],
    ["Env", [1]],
    ["Entrypoint", "x"],
    ["Cmd", { 0: "x" }],
    ["Labels", ["a"]],
    ["Labels", { a: 1 }],
    ["Volumes", ["/a"]],
    ["ExposedPorts", "x"],
    ["User", {}],
    ["WorkingDir", ["/"]],
    ["StopSignal", 9],
  ] as [string, object][])("whose %s is %j is refused", async (key, value) => {
    const made = onBase((layout) => layout.image([tar], { config: { [key]: value } }));
    await expect(made).rejects.toMatchObject({ code: "E_OCI_INVALID" });
  });

  test.each([
    ["history", "x"],
    ["history", [null]],
    ["author", {}],
    ["created", 5],
  ])("with %s of %j is refused", async (key, value) => {
    const platform = { [key]: value } as object;
    const made = onBase((layout) => layout.image([tar], { platform }));
    await expect(made).rejects.toMatchObject({ code: "E_OCI_INVALID" });
  });

  const otherDigest = { diffIds: [`sha256:${"0".repeat(64)}`] };
  test.each<[string, string, (layout: Layout) => Blob]>([
    ["is another one uncompressed", "E_OCI_DIGEST", (layout) => layout.image([tar], otherDigest)],
    [
      "is cut off",
      "E_LAYER_CORRUPT",
      (layout) =>
        layout.image([tar], { layers: [layout.blob(`${types.layer}+gzip`, gzipStart())] }),
    ],
    [
      "is compressed by xz",
      "E_OCI_UNSUPPORTED",
      (layout) => layout.image([tar], { layers: [layout.blob(types.layer, xzStart())] }),
    ],
  ])("whose layer %s is refused", async (_, code, make) => {
    await expect(onBase(make)).rejects.toMatchObject({ code });
    await expect(onBase(make, "docker-archive")).rejects.toMatchObject({ code });
  });

  test("whose config leaves no room for another layer is refused", async () => {
    const platform = { comment: "x".repeat((4 << 20) - 400) } as object;
    const made = onBase((layout) => layout.image([tar], { platform }));
    await expect(made).rejects.toMatchObject({ code: "E_OCI_LIMIT" });
  });

  test("that calls a layer what it is not gives it its type", async () => {
    const { manifest } = await onBase((layout) => {
      const { digest, size } = layout.layer(tar, "gzip");
      const wrong = { mediaType: types.layer, digest, size };
      return layout.image([tar], { layers: [wrong] });
    });
    expect(manifest.layers[0].mediaType).toBe(`${types.layer}+gzip`);
  });

  test("gives what variables and labels it has, whatever they are called", async () => {
    const config = JSON.parse(
      '{"Env":["FOO","=x","A=1","__proto__=2"],"Labels":{"__proto__":"3"},"Cmd":null}',
    );
    const made = await onBase((layout) => layout.image([tar], { config }));
    const { Env, Labels } = made.config.config;
    expect(Env.slice(0, 2)).toEqual(["A=1", "__proto__=2"]);
    expect(Env.filter((pair: string) => /^(FOO?|)=/.test(pair))).toEqual([]);
    expect(Object.entries(Labels)).toEqual([["__proto__", "3"]]);
  });
});

const gzipStart = () => Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), zeros]);
const xzStart = () => Buffer.concat([Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), zeros]);
