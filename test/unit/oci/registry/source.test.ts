/** Images of a registry on this machine, and what becomes of them where it lies or breaks off. */
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import type http from "node:http";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseRegistryName } from "../../../../builder/oci/reference.ts";
import { openRegistry, type RegistryOptions } from "../../../../builder/oci/registry/source.ts";
import type { BlobSource, Descriptor } from "../../../../builder/oci/store.ts";
import type { Warning } from "../../../../builder/warnings.ts";
import {
  ImageRegistry,
  INDEX,
  LAYER,
  MANIFEST,
  sha256,
  type Trick,
} from "../../../support/image-registry.ts";
import { skipUnless } from "../../../support/needs.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

let registry: ImageRegistry;
let other: ImageRegistry;
let cacheDir: string;
const open: BlobSource[] = [];

beforeEach(async () => {
  registry = await new ImageRegistry().start();
  other = await new ImageRegistry().start();
  cacheDir = path.join(temporaryDirectory(), "images");
});

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  await registry.close();
  await other.close();
});

function image(name: string, options: RegistryOptions = {}, host = registry.host): BlobSource {
  const reference = parseRegistryName(`${host}/${name}`);
  if (reference === undefined) throw new Error(`${name} is no name`);
  const source = openRegistry(reference, { cacheDir, patience: 5000, ...options });
  open.push(source);
  return source;
}

async function read(source: BlobSource, descriptor: Descriptor): Promise<Buffer> {
  const { path: file, offset, size } = await source.file(descriptor);
  return readFileSync(file).subarray(offset, offset + size);
}

const kept = () => readdirSync(cacheDir).filter((name) => name.startsWith("sha256-"));
const begun = () => readdirSync(cacheDir).filter((name) => name.endsWith(".tmp"));

/** Answers what has a text in its path, so many times. */
function trick(part: string, answer: (...args: Parameters<Trick>) => void, times = 1000): Trick {
  let left = times;
  return (request, response) => {
    if (!(request.url ?? "").includes(part) || left === 0) return false;
    left--;
    answer(request, response);
    return true;
  };
}

const status = (code: number, headers: http.OutgoingHttpHeaders = {}) =>
  ((_, response) => void response.writeHead(code, headers).end()) satisfies (
    ...args: Parameters<Trick>
  ) => void;

const layer = randomBytes(300_000);

test("a tag leads to the manifest, and that to its blobs", async () => {
  const { root, layers } = registry.putImage("1.0", layer);
  const source = image("team/app:1.0");
  expect(await source.root()).toMatchObject(root);
  const manifest = JSON.parse((await source.small(root, 1 << 20)).toString());
  expect(manifest.layers).toEqual(layers);
  expect((await read(source, layers[0] as Descriptor)).equals(layer)).toBe(true);
  expect(registry.asked[0]?.headers["accept-encoding"] ?? "").not.toContain("gzip");
});

skipUnless("ipv6")("a host by IPv6", async () => {
  const there = await new ImageRegistry().start("::1");
  const { root, layers } = there.putImage("latest", layer);
  const source = image("team/app", {}, there.host);
  expect(source.shown).toBe(`docker://${there.host}/team/app:latest`);
  expect(await source.root()).toMatchObject(root);
  expect((await read(source, layers[0] as Descriptor)).equals(layer)).toBe(true);
  const mirrored = image("app", { mirrors: [`${registry.host}=${there.host}/team`], cache: false });
  expect(await mirrored.root()).toMatchObject(root);
  await there.close();
});

test("what was fetched is not fetched again, and a tag is asked for again", async () => {
  const { root, layers } = registry.putImage("latest", layer);
  for (const _ of [1, 2]) {
    const source = image("app");
    await source.root();
    await source.small(root, 1 << 20);
    await read(source, layers[0] as Descriptor);
    await source.close();
  }
  expect(registry.count("GET", "blobs/")).toBe(1);
  expect(registry.count("GET", "manifests/")).toBe(1);
  expect(registry.count("HEAD", "manifests/latest")).toBe(1);
  const renewed = registry.putImage("latest", Buffer.from("newer"));
  expect(await image("app").root()).toMatchObject(renewed.root);
});

test("one blob that many ask for at once is fetched once, by many builds whole", async () => {
  const { layers } = registry.putImage("latest", layer);
  const source = image("app");
  const sources = [source, source, source, image("app"), image("app")];
  const all = await Promise.all(sources.map((one) => read(one, layers[0] as Descriptor)));
  expect(all.every((bytes) => bytes.equals(layer))).toBe(true);
  expect(registry.count("GET", "blobs/")).toBe(3);
  expect(begun()).toEqual([]);
});

describe("the cache", () => {
  test("what was cut or changed in it is fetched again", async () => {
    const { layers } = registry.putImage("latest", layer);
    await read(image("app"), layers[0] as Descriptor);
    const [name = ""] = kept();
    for (const bad of [layer.subarray(1), Buffer.alloc(layer.length), Buffer.alloc(0)]) {
      writeFileSync(path.join(cacheDir, name), bad);
      expect((await read(image("app"), layers[0] as Descriptor)).equals(layer)).toBe(true);
    }
    expect(registry.count("GET", "blobs/")).toBe(4);
  });

  test("a blob stays readable when another build removes it", async () => {
    const { layers } = registry.putImage("latest", layer);
    const source = image("app");
    const region = await source.file(layers[0] as Descriptor);
    for (const name of kept()) writeFileSync(path.join(cacheDir, `${name}.x`), "");
    const { rmSync } = await import("node:fs");
    rmSync(cacheDir, { recursive: true });
    expect(readFileSync(region.path).equals(layer)).toBe(true);
  });

  test("where it cannot be, blobs are fetched all the same and nothing is left", async () => {
    const { layers } = registry.putImage("latest", layer);
    for (const options of [{ cache: false }, { cacheDir: "/proc/nowhere" }]) {
      const source = image("app", options);
      await source.root();
      expect((await read(source, layers[0] as Descriptor)).equals(layer)).toBe(true);
      await source.close();
    }
  });

  test("offline, it has to do", async () => {
    const { root, layers } = registry.putImage("latest", layer);
    const before = image("app");
    await before.root();
    await read(before, layers[0] as Descriptor);
    const asked = registry.asked.length;
    const offline = image("app", { offline: true });
    expect(await offline.root()).toMatchObject(root);
    expect((await read(offline, layers[0] as Descriptor)).equals(layer)).toBe(true);
    await expect(image("app:2", { offline: true }).root()).rejects.toThrow(
      expect.objectContaining({ code: "E_REGISTRY_OFFLINE" }),
    );
    const missing = { mediaType: LAYER, digest: sha256(Buffer.from("x")), size: 1 };
    await expect(offline.file(missing)).rejects.toThrow(
      expect.objectContaining({ code: "E_REGISTRY_OFFLINE" }),
    );
    expect(registry.asked.length).toBe(asked);
  });

  test("a tag that was asked for before is taken, with a warning, when nobody answers", async () => {
    const { root } = registry.putImage("latest", layer);
    await image("app").root();
    const { host } = registry;
    await registry.close();
    const warnings: Warning[] = [];
    const onWarning = (one: Warning) => warnings.push(one);
    expect(await image("app", { onWarning }, host).root()).toMatchObject(root);
    expect(warnings).toMatchObject([{ code: "W_REGISTRY_CACHED" }]);
    expect(warnings[0]?.message).toContain(root.digest);
    await expect(image("app:other", {}, host).root()).rejects.toThrow(
      expect.objectContaining({ code: "E_REGISTRY_UNREACHABLE" }),
    );
    registry = await new ImageRegistry().start();
  });

  test("a refusal is no absence: the tag of the cache is not taken", async () => {
    registry.putImage("latest", layer);
    await image("app").root();
    registry.tricks.push(trick("/manifests/", status(403)));
    await expect(image("app").root()).rejects.toThrow(
      expect.objectContaining({ code: "E_REGISTRY_AUTH" }),
    );
  });

  test("by its digest an image of the cache is not asked for", async () => {
    const { root } = registry.putImage("latest", layer);
    await image(`app@${root.digest}`).root();
    const asked = registry.asked.length;
    expect(await image(`app@${root.digest}`).root()).toMatchObject(root);
    expect(registry.asked.length).toBe(asked);
  });
});

describe("connections", () => {
  /** Sends the first bytes of what is asked for, and cuts. */
  const cutAfter = (length: number): ((...args: Parameters<Trick>) => void) => {
    return ({ headers }, response) => {
      const from = Number(/\d+/.exec(headers.range ?? "")?.[0] ?? 0);
      const rest = layer.subarray(from);
      response.writeHead(from > 0 ? 206 : 200, {
        "content-length": rest.length,
        ...(from > 0 && { "content-range": `bytes ${from}-${layer.length - 1}/${layer.length}` }),
      });
      response.write(rest.subarray(0, length), () => response.socket?.destroy());
    };
  };

  test("a blob goes on where the connection was cut", async () => {
    const { layers } = registry.putImage("latest", layer);
    registry.tricks.push(trick("/blobs/", cutAfter(100_000), 2));
    const seen: number[] = [];
    const source = image("app", { onProgress: ({ bytes }) => seen.push(bytes) });
    expect((await read(source, layers[0] as Descriptor)).equals(layer)).toBe(true);
    const ranges = registry.asked.flatMap(({ headers }) => headers.range ?? []);
    const starts = ranges.map((range) => Number(/^bytes=(\d+)-$/.exec(range)?.[1]));
    expect(starts).toHaveLength(2);
    // Of what was sent before a cut some may be lost on the way.
    for (const [i, start] of starts.entries()) {
      expect(start).toBeGreaterThan(starts[i - 1] ?? 0);
      expect(start).toBeLessThanOrEqual((starts[i - 1] ?? 0) + 100_000);
    }
    expect(seen.at(-1)).toBe(layer.length);
  });

  test("a server that knows no ranges sends all of it again", async () => {
    const { layers } = registry.putImage("latest", layer);
    registry.tricks.push(
      trick("/blobs/", cutAfter(100_000), 1),
      trick("/blobs/", (_, response) => void response.end(layer)),
    );
    expect((await read(image("app"), layers[0] as Descriptor)).equals(layer)).toBe(true);
  });

  test("a blob without a length is whole, and one that stops goes on there", async () => {
    const { layers } = registry.putImage("latest", layer);
    const half = layer.length >> 1;
    registry.tricks.push(
      trick("/blobs/", (_, response) => void response.write(layer.subarray(0, half)), 1),
      trick("/blobs/", ({ headers }, response) => {
        const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1]);
        const range = `bytes ${from}-${layer.length - 1}/${layer.length}`;
        response.writeHead(206, { "content-range": range });
        for (let at = from; at < layer.length; at += 10_000) {
          response.write(layer.subarray(at, at + 10_000));
        }
        response.end();
      }),
    );
    const source = image("app", { patience: 3000 });
    expect((await read(source, layers[0] as Descriptor)).equals(layer)).toBe(true);
    const ranges = registry.asked.map(({ headers }) => headers.range);
    expect(ranges).toEqual([undefined, `bytes=${half}-`]);
  });

  test("one that is always cut is given up, and nothing partial is kept", async () => {
    const { layers } = registry.putImage("latest", layer);
    registry.tricks.push(trick("/blobs/", (_, response) => void response.socket?.destroy()));
    await expect(image("app").file(layers[0] as Descriptor)).rejects.toThrow(
      expect.objectContaining({ code: "E_REGISTRY_UNREACHABLE" }),
    );
    expect([...kept(), ...begun()]).toEqual([]);
  });

  test.each([429, 500, 503])("a status %i gets another try, when it is asked for", async (code) => {
    const { root } = registry.putImage("latest", layer);
    registry.tricks.push(trick("/manifests/", status(code, { "retry-after": "1" }), 2));
    const started = Date.now();
    expect(await image("app").root()).toMatchObject(root);
    expect(registry.count("GET", "/manifests/")).toBe(3);
    expect(Date.now() - started).toBeGreaterThanOrEqual(1900);
  });

  test("who wants to be left alone for long gets no further request", async () => {
    registry.tricks.push(trick("/manifests/", status(429, { "retry-after": "3600" })));
    await expect(image("app").root()).rejects.toThrow(/answers 429 .*wants 3600 s/);
    expect(registry.count("GET", "/manifests/")).toBe(1);
  });

  test("a body that stops, or trickles, is given up", async () => {
    const { layers } = registry.putImage("latest", layer);
    const timers: NodeJS.Timeout[] = [];
    registry.tricks.push(
      trick("/blobs/", (_, response) => {
        response.writeHead(200, { "content-length": layer.length });
        timers.push(setInterval(() => response.write("x"), 50));
      }),
    );
    await expect(image("app", { patience: 200 }).file(layers[0] as Descriptor)).rejects.toThrow(
      /stopped in the middle/,
    );
    for (const one of timers) clearInterval(one);
    expect(begun()).toEqual([]);
  });

  test("who closes waits for no pause of a registry that wants one", async () => {
    const { layers } = registry.putImage("latest", layer);
    registry.tricks.push(trick("/blobs/", status(503, { "retry-after": "110" })));
    const source = image("app");
    const file = source.file(layers[0] as Descriptor);
    file.catch(() => {});
    await expect.poll(() => registry.count("GET", "/blobs/")).toBe(1);
    const long = new Promise((resolve) => setTimeout(resolve, 60_000, "waits").unref());
    expect(await Promise.race([source.close(), long])).not.toBe("waits");
    await expect(file).rejects.toThrow(/abort/i);
    expect(begun()).toEqual([]);
  });

  test("a build that is ended waits for nobody", async () => {
    registry.tricks.push(trick("/manifests/", () => {}));
    const controller = new AbortController();
    const root = image("app", { signal: controller.signal }).root();
    setTimeout(() => controller.abort(), 100);
    await expect(root).rejects.toThrow(/abort/i);
  });
});

describe("mirrors", () => {
  test("a mirror is asked first, under its prefix, and the registry where that has nothing", async () => {
    const { root, layers } = other.putImage("latest", layer);
    registry.putImage("latest", layer);
    const mirrors = [`${registry.host}=${other.host}/of/here`];
    const source = image("team/app", { mirrors });
    expect(await source.root()).toMatchObject(root);
    expect(other.count("GET", "/v2/of/here/team/app/manifests/latest")).toBe(1);
    expect(registry.asked).toEqual([]);
    other.tricks.push(trick("/blobs/", status(404)));
    expect((await read(source, layers[0] as Descriptor)).equals(layer)).toBe(true);
    expect(registry.count("GET", "/blobs/")).toBe(1);
  });

  test("a mirror that sends something else does no harm", async () => {
    const { layers } = registry.putImage("latest", layer);
    other.tricks.push(
      trick("/blobs/", (_, response) => void response.end(randomBytes(layer.length))),
    );
    const mirrors = [`${registry.host}=${other.host}`];
    const bytes = await read(image("app", { mirrors }), layers[0] as Descriptor);
    expect(bytes.equals(layer)).toBe(true);
  });

  test.each(["", "docker.io", "=x.org", "docker.io=", "docker.io=nohost", "docker.io=x.org/UP"])(
    "%j is no mirror",
    (text) => {
      expect(() => image("app", { mirrors: [text] })).toThrow(
        expect.objectContaining({ code: "E_REGISTRY_MIRROR" }),
      );
    },
  );
});

describe("a registry that lies", () => {
  const refused = async (what: Promise<unknown>, code: string, words?: RegExp) => {
    const failure = await what.then(
      () => "nothing was refused",
      (cause: unknown) => cause,
    );
    expect(failure).toMatchObject({ code });
    if (words) expect((failure as Error).message).toMatch(words);
  };

  test.each([
    ["too short", layer.subarray(10), "E_OCI_SIZE"],
    ["too long", Buffer.concat([layer, layer]), "E_OCI_SIZE"],
    ["something else", randomBytes(layer.length), "E_OCI_DIGEST"],
    ["nothing", Buffer.alloc(0), "E_OCI_SIZE"],
  ])("a blob that is %s", async (_, bytes, code) => {
    const { layers } = registry.putImage("latest", layer);
    for (const announces of [true, false]) {
      registry.tricks.splice(0);
      registry.tricks.push(
        trick("/blobs/", (__, response) => {
          if (announces) response.setHeader("content-length", bytes.length);
          response.write(bytes);
          response.end();
        }),
      );
      const wanted = announces || code === "E_OCI_DIGEST" || bytes.length > layer.length;
      const expected = wanted ? code : "E_REGISTRY_UNREACHABLE";
      await refused(image("app").file(layers[0] as Descriptor), expected);
      expect([...kept(), ...begun()]).toEqual([]);
    }
  });

  test("a body without an end is not read further than the blob is long", async () => {
    const { layers } = registry.putImage("latest", layer);
    let sent = 0;
    registry.tricks.push(
      trick("/blobs/", (_, response) => {
        const more = () => {
          while (!response.destroyed && response.write(layer)) sent += layer.length;
        };
        response.on("drain", more);
        more();
      }),
    );
    await refused(image("app").file(layers[0] as Descriptor), "E_OCI_SIZE");
    expect(sent).toBeLessThan(layer.length * 100);
  });

  test("a manifest that is too large", async () => {
    registry.putManifest("latest", { mediaType: MANIFEST, note: "x".repeat(5 << 20) });
    await refused(image("app").root(), "E_REGISTRY_ANSWER", /too long/);
    registry.tricks.push(
      trick("/manifests/", (_, response) => {
        response.setHeader("content-type", MANIFEST);
        const more = () => {
          while (!response.destroyed && response.write(layer));
        };
        response.on("drain", more);
        more();
      }),
    );
    await refused(image("app").root(), "E_REGISTRY_ANSWER", /too long/);
  });

  test("a manifest that is not what its digest, or the registry, says", async () => {
    const { root } = registry.putImage("latest", layer);
    const bytes = Buffer.from(JSON.stringify({ mediaType: MANIFEST, layers: [] }));
    registry.tricks.push(
      trick("/manifests/", (_, response) => {
        response.setHeader("docker-content-digest", root.digest);
        response.setHeader("content-type", MANIFEST);
        response.end(bytes);
      }),
    );
    await refused(image(`app@${root.digest}`).root(), "E_OCI_DIGEST");
    await refused(image("app").root(), "E_OCI_DIGEST");
  });

  test.each([
    ["text/html", "<html>log in</html>", "E_REGISTRY_ANSWER"],
    ["application/vnd.docker.distribution.manifest.v1+prettyjws", "{}", "E_OCI_UNSUPPORTED"],
    ["application/json", '{"mediaType":"application/vnd.example+json"}', "E_REGISTRY_ANSWER"],
    ["application/json", "no JSON", "E_REGISTRY_ANSWER"],
    [INDEX, `{"mediaType":"${MANIFEST}"}`, "E_REGISTRY_ANSWER"],
  ])("a manifest of type %s: %s", async (type, text, code) => {
    registry.putManifest("latest", text, type);
    await refused(image("app").root(), code);
    expect(kept()).toEqual([]);
  });

  test("another part of a blob than was asked for", async () => {
    const { layers } = registry.putImage("latest", layer);
    registry.tricks.push(
      trick("/blobs/", ({ headers }, response) => {
        if (headers.range === undefined) {
          response.writeHead(200, { "content-length": layer.length });
          response.write(layer.subarray(0, 1000), () => response.socket?.destroy());
        } else {
          response.writeHead(206, { "content-range": `bytes 0-99/${layer.length}` });
          response.end(layer.subarray(0, 100));
        }
      }),
    );
    await refused(image("app").file(layers[0] as Descriptor), "E_REGISTRY_ANSWER", /another part/);
  });

  test("an encoding that nobody asked for", async () => {
    const { layers } = registry.putImage("latest", layer);
    registry.tricks.push(trick("/blobs/", status(200, { "content-encoding": "gzip" })));
    await refused(image("app").file(layers[0] as Descriptor), "E_REGISTRY_ANSWER", /encoding/);
  });

  test("redirects without an end", async () => {
    const { layers } = registry.putImage("latest", layer);
    registry.tricks.push(
      trick(
        "/blobs/",
        ({ url = "" }, response) => void response.writeHead(307, { location: url }).end(),
      ),
    );
    await refused(
      image("app").file(layers[0] as Descriptor),
      "E_REGISTRY_ANSWER",
      /place to place/,
    );
    expect(registry.count("GET", "/blobs/")).toBe(6);
  });

  test.each([
    [undefined, "E_REGISTRY_ANSWER", /no address/],
    ["file:///etc/passwd", "E_REGISTRY_ANSWER", /no address/],
    ["ftp://127.0.0.1/x", "E_REGISTRY_ANSWER", /no address/],
    ["http://user:secret@127.0.0.1/x", "E_REGISTRY_ANSWER", /credentials in it/],
    ["http://registry.example/x", "E_REGISTRY_INSECURE", /without encryption/],
  ])("a redirect to %s", async (location, code, words) => {
    const { layers } = registry.putImage("latest", layer);
    registry.tricks.push(trick("/blobs/", status(302, location === undefined ? {} : { location })));
    await refused(image("app").file(layers[0] as Descriptor), code, words);
  });

  test("plain HTTP of another machine", async () => {
    await refused(
      image("app", { patience: 300 }, "registry.invalid:5000").root(),
      "E_REGISTRY_UNREACHABLE",
    );
  });

  test("not there at all", async () => {
    await refused(
      image("app:none").root(),
      "E_REGISTRY_NOT_FOUND",
      /manifest none.*manifest unknown/,
    );
  });
});

test("a digest of another kind is checked as that", async () => {
  const bytes = Buffer.from("by another hash");
  const digest = `sha512:${createHash("sha512").update(bytes).digest("hex")}`;
  registry.blobs.set(digest, bytes);
  const descriptor = { mediaType: LAYER, digest, size: bytes.length };
  expect((await read(image("app"), descriptor)).equals(bytes)).toBe(true);
  registry.blobs.set(digest, Buffer.from("by another hasH"));
  await expect(image("app", { cache: false }).file(descriptor)).rejects.toThrow(
    expect.objectContaining({ code: "E_OCI_DIGEST" }),
  );
});
