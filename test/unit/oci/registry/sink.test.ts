/** Blobs and manifests into a registry that has them already, breaks off, or does not take them. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseRegistryName } from "../../../../builder/oci/reference.ts";
import { openRegistrySink, type PushOptions } from "../../../../builder/oci/registry/sink.ts";
import type { BlobSink } from "../../../../builder/oci/sink.ts";
import type { Descriptor } from "../../../../builder/oci/store.ts";
import { ImageRegistry, LAYER, MANIFEST, sha256 } from "../../../support/image-registry.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

let registry: ImageRegistry;
const open: BlobSink[] = [];

beforeEach(async () => {
  registry = await new ImageRegistry().start();
});

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  await registry.close();
});

function sink(options: PushOptions = {}): BlobSink {
  const reference = parseRegistryName(`${registry.host}/team/app:1`);
  if (reference === undefined) throw new Error("this is no name");
  const made = openRegistrySink(reference, { patience: 5000, ...options });
  open.push(made);
  return made;
}

const describe = (bytes: Buffer): Descriptor => ({
  mediaType: LAYER,
  digest: sha256(bytes),
  size: bytes.length,
});

const blob = randomBytes(300_000);

test.each([
  ["at once", {}, 0],
  ["in chunks", { chunkSize: 100_000 }, 2],
  ["in chunks of which the last is short", { chunkSize: 70_001 }, 4],
])("a blob is sent %s", async (_, options, chunks) => {
  expect(await sink(options).blob(describe(blob), blob)).toBe("written");
  expect(registry.blobs.get(sha256(blob))?.equals(blob)).toBe(true);
  expect(registry.count("PATCH", "uploads")).toBe(chunks);
  expect(registry.count("PUT", "digest=sha256%3A")).toBe(1);
});

test("a part of a file is sent, and an empty blob", async () => {
  const file = path.join(temporaryDirectory(), "archive");
  writeFileSync(file, Buffer.concat([Buffer.alloc(999), blob, Buffer.alloc(3)]));
  const region = { path: file, offset: 999, size: blob.length };
  const made = sink({ chunkSize: 1 << 17 });
  expect(await made.blob(describe(blob), region)).toBe("written");
  expect(registry.blobs.get(sha256(blob))?.equals(blob)).toBe(true);
  const empty = Buffer.alloc(0);
  expect(await made.blob(describe(empty), empty)).toBe("written");
  expect(registry.blobs.get(sha256(empty))?.length).toBe(0);
});

test("what is there is not sent, also by two at once", async () => {
  registry.put(blob);
  const made = sink();
  const all = [made.blob(describe(blob), blob), made.blob(describe(blob), blob)];
  expect(await Promise.all(all)).toEqual(["present", "present"]);
  expect(registry.count("HEAD", "blobs")).toBe(1);
  expect(registry.count("POST", "uploads")).toBe(0);
});

test("what another repository has is mounted; one that may not be read is passed over", async () => {
  registry.tricks.push(({ url = "", method }, response) => {
    if (method !== "POST" || !url.includes("mount=")) return false;
    if (url.includes("from=closed")) response.writeHead(403).end();
    else response.writeHead(201, { location: "/v2/team/app/blobs/x" }).end();
    return true;
  });
  expect(await sink().blob(describe(blob), blob, ["closed/a", "open/b"])).toBe("mounted");
  expect(registry.asked.filter(({ url }) => url.includes("mount=")).map(({ url }) => url)).toEqual([
    expect.stringContaining("from=closed%2Fa"),
    expect.stringContaining(`mount=${encodeURIComponent(sha256(blob))}&from=open%2Fb`),
  ]);
});

test("where nothing is mounted the upload that was begun instead is used", async () => {
  expect(await sink().blob(describe(blob), blob, ["open/b"])).toBe("written");
  expect(registry.count("POST", "uploads")).toBe(1);
});

test("an upload goes on behind what arrived of a chunk that was cut", async () => {
  let cuts = 2;
  registry.tricks.push((request, response) => {
    if (request.method !== "PATCH" || cuts === 0) return false;
    cuts--;
    const id = /uploads\/(\w+)/.exec(request.url ?? "")?.[1] ?? "";
    request.once("data", (chunk: Buffer) => {
      const kept = registry.uploads.get(id) ?? Buffer.alloc(0);
      registry.uploads.set(id, Buffer.concat([kept, chunk.subarray(0, 1000)]));
      response.socket?.destroy();
    });
    return true;
  });
  const seen: number[] = [];
  const made = sink({ chunkSize: 100_000, onProgress: ({ bytes }) => seen.push(bytes) });
  expect(await made.blob(describe(blob), blob)).toBe("written");
  expect(registry.blobs.get(sha256(blob))?.equals(blob)).toBe(true);
  const ranges = registry.asked.map(({ headers }) => headers["content-range"]).filter(Boolean);
  expect(ranges).toEqual(["0-99999", "1000-100999", "2000-101999", "102000-201999"]);
  expect(seen.at(-1)).toBe(blob.length);
});

test("an upload that the registry has forgotten begins anew", async () => {
  let left = 1;
  registry.tricks.push((request, response) => {
    if (request.method !== "PATCH" || left === 0) return false;
    left--;
    registry.uploads.clear();
    response.writeHead(503).end();
    return true;
  });
  expect(await sink({ chunkSize: 100_000 }).blob(describe(blob), blob)).toBe("written");
  expect(registry.count("POST", "uploads")).toBe(2);
});

test.each([
  [507, /answers 507/],
  [503, /answers 503/],
  [400, /answers 400/],
])("a registry that answers %i to the end of it is named", async (status, words) => {
  registry.tricks.push((request, response) => {
    if (request.method !== "PUT") return false;
    request.resume();
    response.writeHead(status).end();
    return true;
  });
  await expect(sink().blob(describe(blob), blob)).rejects.toThrow(
    expect.objectContaining({ code: "E_REGISTRY_UPLOAD", message: expect.stringMatching(words) }),
  );
});

test("a registry that takes chunks for ever and keeps none is left", async () => {
  registry.tricks.push((request, response) => {
    if (request.method !== "PATCH") return false;
    request.resume();
    request.once("end", () => {
      response.writeHead(202, { location: request.url, range: "0-0" }).end();
    });
    return true;
  });
  await expect(sink({ chunkSize: 100_000 }).blob(describe(blob), blob)).rejects.toThrow(
    expect.objectContaining({
      code: "E_REGISTRY_UPLOAD",
      message: expect.stringMatching(/takes a chunk, and keeps nothing/),
    }),
  );
  expect(registry.count("PATCH", "uploads")).toBe(5);
});

test("a registry that has bytes, and has them not, by turns is left", async () => {
  let asked = 0;
  registry.tricks.push((request, response) => {
    const { method, url = "" } = request;
    if (method === "GET" && url.includes("uploads")) {
      const range = asked++ % 2 === 0 ? "0-99999" : "0-0";
      response.writeHead(204, { location: url, range }).end();
      return true;
    }
    if (method !== "PATCH") return false;
    request.resume();
    request.once("end", () => response.writeHead(503).end());
    return true;
  });
  await expect(sink({ chunkSize: 100_000 }).blob(describe(blob), blob)).rejects.toThrow(
    expect.objectContaining({ code: "E_REGISTRY_UPLOAD" }),
  );
  // Five tries, and as many behind the bytes that it once had.
  expect(registry.count("PATCH", "uploads")).toBeLessThanOrEqual(10);
});

test("bytes that are not what their digest says are not sent", async () => {
  const bad = { ...describe(blob), digest: sha256(Buffer.from("other")) };
  const file = path.join(temporaryDirectory(), "blob");
  writeFileSync(file, blob);
  for (const contents of [blob, { path: file, offset: 0, size: blob.length }]) {
    await expect(sink().blob(bad, contents)).rejects.toThrow(
      expect.objectContaining({ code: "E_OCI_DIGEST" }),
    );
    const short = { ...describe(blob), size: 5 };
    await expect(sink().blob(short, contents)).rejects.toThrow(
      expect.objectContaining({ code: "E_OCI_SIZE" }),
    );
  }
  expect(registry.count("PUT", "")).toBe(0);
});

test("a place for an upload without encryption, or with credentials, is not taken", async () => {
  const places = ["http://registry.example/up", "http://a:b@127.0.0.1/up", "ftp://127.0.0.1/up"];
  for (const location of places) {
    registry.tricks.splice(0);
    registry.tricks.push(({ method }, response) => {
      if (method !== "POST") return false;
      response.writeHead(202, { location }).end();
      return true;
    });
    await expect(sink().blob(describe(blob), blob)).rejects.toThrow(
      expect.objectContaining({ code: expect.stringMatching(/E_REGISTRY_(INSECURE|ANSWER)/) }),
    );
  }
});

test("a manifest is written under all its tags, or by its digest", async () => {
  const bytes = Buffer.from('{"schemaVersion":2}');
  const made = sink();
  const written = await made.manifest(MANIFEST, bytes, ["1", "latest"]);
  expect(written).toEqual({ mediaType: MANIFEST, digest: sha256(bytes), size: bytes.length });
  expect(registry.manifests.get("latest")).toEqual({ mediaType: MANIFEST, bytes });
  await made.manifest(MANIFEST, bytes);
  expect(registry.count("PUT", `manifests/${sha256(bytes)}`)).toBe(1);
});

test("a registry that keeps a manifest as another one, or refuses it, is named", async () => {
  const answers = [
    { status: 201, headers: { "docker-content-digest": sha256(Buffer.from("other")) } },
    { status: 400, headers: {} },
  ];
  for (const { status, headers } of answers) {
    registry.tricks.splice(0);
    registry.tricks.push((request, response) => {
      request.resume();
      response.writeHead(status, headers).end('{"errors":[{"code":"MANIFEST_INVALID"}]}');
      return true;
    });
    await expect(sink().manifest(MANIFEST, Buffer.from("{}"), ["1"])).rejects.toThrow(
      expect.objectContaining({ code: "E_REGISTRY_UPLOAD" }),
    );
  }
});

test("a registry that takes a blob slowly is waited for", async () => {
  // More than the kernel takes for it, in three parts: each in less than the patience, and all in more.
  const large = Buffer.alloc(14 << 20, 1);
  registry.tricks.push((request, response) => {
    if (request.method !== "PUT") return false;
    request.pause();
    let [taken, parts] = [0, 0];
    const next = () => {
      parts++;
      request.resume();
    };
    const timer = setInterval(next, 2000);
    request.on("data", (chunk: Buffer) => {
      taken += chunk.length;
      if (parts < 3 && taken > parts * (3 << 20)) request.pause();
    });
    request.on("end", () => response.writeHead(201).end());
    request.on("close", () => clearInterval(timer));
    return true;
  });
  expect(await sink({ patience: 5000 }).blob(describe(large), large)).toBe("written");
  expect(registry.count("PUT", "")).toBe(1);
});

test("a registry that keeps a byte of each chunk is left", async () => {
  let kept = 0;
  registry.tricks.push((request, response) => {
    const { method, url = "" } = request;
    const range = () => ({ location: url, range: `0-${++kept}` });
    if (method === "GET" && url.includes("uploads")) {
      response.writeHead(204, range()).end();
      return true;
    }
    if (method !== "PATCH") return false;
    request.resume();
    request.once("end", () => response.writeHead(202, range()).end());
    return true;
  });
  const sent = sink({ chunkSize: 100_000 }).blob(describe(blob), blob);
  await expect(sent).rejects.toMatchObject({ code: "E_REGISTRY_UPLOAD" });
  expect(registry.count("PATCH", "uploads")).toBe(5);
});

test("a registry that wants to be left alone in the middle is, or is left", async () => {
  const busy = (seconds: string) => {
    let left = 1;
    registry.tricks.splice(0);
    registry.tricks.push((request, response) => {
      if (request.method !== "PUT" || left-- <= 0) return false;
      request.resume();
      request.once("end", () => response.writeHead(429, { "retry-after": seconds }).end());
      return true;
    });
  };
  busy("1");
  const began = Date.now();
  expect(await sink().blob(describe(blob), blob)).toBe("written");
  expect(Date.now() - began).toBeGreaterThanOrEqual(1000);
  busy("3600");
  registry.blobs.clear();
  await expect(sink().blob(describe(blob), blob)).rejects.toMatchObject({
    code: "E_REGISTRY_UPLOAD",
    message: expect.stringMatching(/wants 3600 s of peace/),
  });
});

const other = sha256(Buffer.from("other"));
test.each([
  ["PUT", { "docker-content-digest": other }],
  ["PUT", { location: `/v2/team/app/blobs/${other}` }],
  ["POST", { location: `/v2/team/app/blobs/${encodeURIComponent(other)}` }],
])("a registry that keeps a blob as another one at its %s is named: %j", async (at, headers) => {
  registry.tricks.push((request, response) => {
    if (request.method !== at) return false;
    request.resume();
    request.once("end", () => response.writeHead(201, headers).end());
    return true;
  });
  await expect(sink().blob(describe(blob), blob, ["open/b"])).rejects.toMatchObject({
    code: "E_REGISTRY_UPLOAD",
    message: expect.stringContaining(`as ${other}`),
  });
});

test.each([
  { "docker-content-digest": other, "content-length": blob.length },
  { "docker-content-digest": sha256(blob), "content-length": 5 },
])("what a registry has of another kind under the digest is sent: %j", async (headers) => {
  registry.tricks.push(({ method }, response) => {
    if (method !== "HEAD") return false;
    response.writeHead(200, headers).end();
    return true;
  });
  expect(await sink().blob(describe(blob), blob)).toBe("written");
});
