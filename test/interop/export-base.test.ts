/** Container images on a base that says something else than what it is. */
import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { beforeAll, describe, expect, test } from "vitest";
import { build } from "../../builder/api/build.ts";
import { exportImage } from "../../builder/api/export.ts";
import { writeFiles } from "../support/case.ts";
import { ImageRegistry } from "../support/image-registry.ts";
import { skipUnless } from "../support/needs.ts";
import { type Blob, imageOf, Layout, named, types } from "../support/oci.ts";
import { type Member, tarOf } from "../support/tar.ts";
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
  const image = imageOf(to);
  const [digest] = image.manifest.layers.slice(-1).map((one: Blob) => one.digest);
  return { ...image, to, layer: `${to}/blobs/${digest.replace(":", "/")}` };
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

test("the blobs of an image are sent three at a time", async () => {
  const registry = await new ImageRegistry().start();
  try {
    const layers = [tar, tarOf({ name: "a", data: "a" }), tarOf({ name: "b", data: "b" })];
    const host = `docker://${registry.host}`;
    registry.putImage("1", ...layers);
    const waiting: ServerResponse[] = [];
    let most = 0;
    registry.tricks.push(({ method, url = "" }, response) => {
      if (method !== "HEAD" || !url.includes("/team/app/blobs/")) return false;
      most = Math.max(most, waiting.push(response));
      // Three layers of the base, ours and the config: the last two are not three.
      if (waiting.length === 3 || registry.count("HEAD", "/team/app/blobs/") === 5) {
        for (const one of waiting.splice(0)) one.writeHead(404).end();
      }
      return true;
    });
    await exportImage({ input, base: `${host}/team/base:1`, to: `${host}/team/app:2` });
    expect(most).toBe(3);
    expect(registry.manifests.has("2")).toBe(true);
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

  test.each<[string, Member[], string]>([
    [
      "a link in the place of a folder above it",
      [{ name: "opt", type: "2", linkName: "usr" }],
      "/opt",
    ],
    [
      "a link in the place of its folder",
      [{ name: "opt/app", type: "2", linkName: "/x" }],
      "/opt/app",
    ],
    [
      "a link in the place of a folder in it",
      [{ name: "opt/app/bin", type: "2", linkName: "." }],
      "/opt/app/bin",
    ],
    ["a file in the place of a folder above it", [{ name: "opt", data: "x" }], "/opt"],
    ["a fifo in the place of its folder", [{ name: "opt/app", type: "6" }], "/opt/app"],
  ])("that has %s is refused, with the path", async (_, members, path) => {
    const made = onBase((layout) => layout.image([tarOf(...members)]));
    await expect(made).rejects.toMatchObject({ code: "E_EXPORT_INPUT", path });
  });

  test("whose upper layer has taken such a link away is taken", async () => {
    const link = tarOf({ name: "opt", type: "2", linkName: "usr" });
    const without = tarOf({ name: ".wh.opt" });
    await onBase((layout) => layout.image([link, without]));
    await expect(onBase((layout) => layout.image([without, link]))).rejects.toMatchObject({
      code: "E_EXPORT_INPUT",
    });
  });

  test("keeps the modes of folders that lead to the bundle, and others are root's", async () => {
    const opt = tarOf({ name: "opt/", type: "5", mode: "0001750" }, { name: "opt/own", data: "x" });
    const { layer } = await onBase((layout) => layout.image([opt]));
    const list = execFileSync("tar", ["-tvzf", layer], { encoding: "utf8" });
    const lines = list
      .trim()
      .split("\n")
      .map((line) => line.split(/ +/));
    expect(lines.map(([mode, , , , , name]) => `${mode} ${name}`)).toEqual([
      "drwxr-x--T opt/",
      expect.stringMatching(/^d\S+ opt\/app\/$/),
      expect.stringMatching(/^d\S+ opt\/app\/bin\/$/),
      expect.stringMatching(/^-\S+ opt\/app\/bin\/app$/),
    ]);
  });

  skipUnless("root", "umoci")("keeps them for another reader, too", async () => {
    const opt = tarOf({ name: "opt/", type: "5", mode: "0001750" }, { name: "opt/own", data: "x" });
    const { to } = await onBase((layout) => layout.image([opt]));
    execFileSync("umoci", ["unpack", "--image", `${to}:latest`, `${to}-unpacked`], {
      stdio: "pipe",
    });
    const unpacked = `${to}-unpacked/rootfs/opt`;
    expect(statSync(unpacked).mode & 0o7777).toBe(0o1750);
    expect(existsSync(`${unpacked}/own`)).toBe(true);
    expect(existsSync(`${unpacked}/app/bin/app`)).toBe(true);
  });

  const passwd = (text: string) => tarOf({ name: "etc/passwd", data: text });
  const starts = { config: { User: "svc" } };
  test.each<[string, Buffer[]]>([
    ["has no list of users", [tar]],
    ["lists others", [passwd("root:x:0:0::/:/bin/sh\n")]],
    ["has listed its user in a lower layer alone", [passwd("svc:x:9:9::/:\n"), passwd("")]],
  ])("that starts as a user and %s is refused", async (_, tars) => {
    const made = onBase((layout) => layout.image(tars, starts));
    await expect(made).rejects.toMatchObject({ code: "E_EXPORT_INPUT", path: "svc" });
  });

  test.each<[string, Buffer[]]>([
    ["lists its user", [passwd("svc:x:9:9::/:\n")]],
    ["lists its user in an upper layer", [passwd(""), passwd("svc:x:9:9::/:\n")]],
    ["has its list elsewhere", [tarOf({ name: "etc/passwd", type: "2", linkName: "../lists/x" })]],
    ["has its lists elsewhere", [tarOf({ name: "etc", type: "2", linkName: "lists" })]],
  ])("that starts as a user and %s is taken", async (_, tars) => {
    const { config } = await onBase((layout) => layout.image(tars, starts));
    expect(config.config.User).toBe("svc");
  });

  test("with a path that leads out of it is refused", async () => {
    const made = onBase((layout) => layout.image([tarOf({ name: "../x", data: "x" })]));
    await expect(made).rejects.toMatchObject({ code: "E_LAYER_UNSAFE" });
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
