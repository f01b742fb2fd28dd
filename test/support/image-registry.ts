/** A registry of container images in memory, that a test can make lie, break off, or ask for a password. */
import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import type { Descriptor } from "../../builder/oci/store.ts";

export const INDEX = "application/vnd.oci.image.index.v1+json";
export const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const LAYER = "application/vnd.oci.image.layer.v1.tar";
const CONFIG = "application/vnd.oci.image.config.v1+json";

export interface Asked {
  method: string;
  /** With its query. */
  url: string;
  headers: http.IncomingHttpHeaders;
}

/** Answers in place of the registry, or returns false. */
export type Trick = (request: http.IncomingMessage, response: http.ServerResponse) => boolean;

export const sha256 = (bytes: Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

export class ImageRegistry {
  /** "127.0.0.1:PORT", or "[::1]:PORT" */
  host = "";
  readonly asked: Asked[] = [];
  readonly blobs = new Map<string, Buffer>();
  /** By tag and by digest. */
  readonly manifests = new Map<string, { mediaType: string; bytes: Buffer }>();
  /** Asked in order before the registry answers. */
  readonly tricks: Trick[] = [];
  readonly uploads = new Map<string, Buffer>();
  readonly #server = http.createServer((request, response) => this.#serve(request, response));

  async start(at = "127.0.0.1"): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, at, resolve));
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    this.host = `${at.includes(":") ? `[${at}]` : at}:${address.port}`;
    return this;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  put(bytes: Buffer, mediaType = LAYER): Descriptor {
    this.blobs.set(sha256(bytes), bytes);
    return { mediaType, digest: sha256(bytes), size: bytes.length };
  }

  putManifest(tag: string, content: unknown, mediaType = MANIFEST): Descriptor {
    const bytes = Buffer.from(typeof content === "string" ? content : JSON.stringify(content));
    this.manifests.set(tag, { mediaType, bytes });
    this.manifests.set(sha256(bytes), { mediaType, bytes });
    return { mediaType, digest: sha256(bytes), size: bytes.length };
  }

  /** An image of layers that are not compressed, and hold what they may. */
  putImage(tag: string, ...layers: Buffer[]): { root: Descriptor; layers: Descriptor[] } {
    const described = layers.map((bytes) => this.put(bytes));
    const rootfs = { type: "layers", diff_ids: described.map(({ digest }) => digest) };
    const said = { architecture: "amd64", os: "linux", rootfs };
    const config = this.put(Buffer.from(JSON.stringify(said)), CONFIG);
    const content = { schemaVersion: 2, mediaType: MANIFEST, config, layers: described };
    return { root: this.putManifest(tag, content), layers: described };
  }

  /** How often a method was used on paths with a text in them. */
  count(method: string, part: string): number {
    return this.asked.filter((one) => one.method === method && one.url.includes(part)).length;
  }

  #serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { method = "", url = "", headers } = request;
    this.asked.push({ method, url, headers });
    if (this.tricks.some((trick) => trick(request, response))) return;
    const { pathname, searchParams } = new URL(url, `http://${this.host}`);
    const [, kind, name = ""] = /^\/v2\/.+?\/(manifests|blobs)\/(.+)$/.exec(pathname) ?? [];
    if (pathname === "/v2/") response.end("{}");
    else if (name.startsWith("uploads/")) this.#upload(request, response, name, searchParams);
    else if (method === "PUT") this.#putManifest(request, response, name);
    else if (kind === "manifests") this.#give(request, response, this.manifests.get(name));
    else if (kind === "blobs") {
      const bytes = this.blobs.get(name);
      this.#give(request, response, bytes && { mediaType: "application/octet-stream", bytes });
    } else notFound(response);
  }

  #give(
    { method, headers }: http.IncomingMessage,
    response: http.ServerResponse,
    found: { mediaType: string; bytes: Buffer } | undefined,
  ): void {
    if (found === undefined) {
      notFound(response);
      return;
    }
    const { mediaType, bytes } = found;
    const [, from] = /^bytes=(\d+)-$/.exec(headers.range ?? "") ?? [];
    const sent = bytes.subarray(Number(from ?? 0));
    response.writeHead(from === undefined ? 200 : 206, {
      "content-type": mediaType,
      "content-length": sent.length,
      "docker-content-digest": sha256(bytes),
      ...(from !== undefined && {
        "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
      }),
    });
    response.end(method === "HEAD" ? undefined : sent);
  }

  /** Keeps what arrives, also of a request that is cut. */
  #upload(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    name: string,
    query: URLSearchParams,
  ): void {
    const [, id = ""] = name.split("/");
    const { method } = request;
    if (method === "POST") {
      const begun = randomBytes(8).toString("hex");
      this.uploads.set(begun, Buffer.alloc(0));
      // Relative, as some registries say it, and with a query of its own.
      response.writeHead(202, { location: `${begun}?state=1`, range: "0-0" }).end();
      return;
    }
    if (!this.uploads.has(id)) {
      notFound(response);
      return;
    }
    const kept = () => this.uploads.get(id) ?? Buffer.alloc(0);
    const head = () => ({
      location: `./${id}?state=2`,
      range: `0-${Math.max(0, kept().length - 1)}`,
    });
    if (method === "GET") {
      response.writeHead(204, head()).end();
      return;
    }
    request.on("data", (chunk: Buffer) => this.uploads.set(id, Buffer.concat([kept(), chunk])));
    request.on("error", () => {});
    request.on("end", () => {
      if (method === "PATCH") {
        response.writeHead(202, head()).end();
        return;
      }
      const digest = query.get("digest") ?? "";
      const isWhole = sha256(kept()) === digest;
      if (isWhole) this.blobs.set(digest, kept());
      response.writeHead(isWhole ? 201 : 400, { "docker-content-digest": digest }).end();
    });
  }

  #putManifest(request: http.IncomingMessage, response: http.ServerResponse, name: string): void {
    const parts: Buffer[] = [];
    request.on("data", (chunk: Buffer) => parts.push(chunk));
    request.on("end", () => {
      const mediaType = request.headers["content-type"] ?? "";
      const { digest } = this.putManifest(name, Buffer.concat(parts).toString(), mediaType);
      response.writeHead(201, { "docker-content-digest": digest }).end();
    });
  }
}

function notFound(response: http.ServerResponse): void {
  const said = { errors: [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }] };
  response.writeHead(404, { "content-type": "application/json" }).end(JSON.stringify(said));
}
