/**
 * A bundle, offered to the one machine that is to have it: by HTTP, at an address that nobody can guess,
 * for as long as that machine comes up. What arrives is checked by its digest there.
 */
import { randomBytes } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import net, { type AddressInfo } from "node:net";
import os from "node:os";
import { pipeline } from "node:stream/promises";
import { fileUnreadable, systemReason } from "../errors.ts";
import * as errors from "./deploy-errors.ts";

/** How often the whole of it may be fetched, in parts too: a fetch that broke off is made again. */
const TURNS = 4;
/** How long a machine may take no byte, ms. */
const PATIENCE = 60_000;

export interface Offer {
  /** Where the machine gets it. */
  url: string;
  /** Bytes that were fetched. */
  sent: () => number;
  close: () => Promise<void>;
}

export interface OfferOptions {
  file: string;
  /** Bytes of it. */
  size: number;
  /** 64 hex digits. */
  sha256: string;
  /** An address of this machine, which alone is listened on; or what others reach it by, through a router. */
  host: string;
  /** 0: any that is free. */
  port: number;
}

/** @throws E_FILE_UNREADABLE, E_DEPLOY_SERVE */
export async function offer({ file, size, sha256, host, port }: OfferOptions): Promise<Offer> {
  // The file that is open stays the same one, whatever its name leads to by then.
  const handle = await open(file, "r").catch((cause: unknown) => {
    throw fileUnreadable(file, cause);
  });
  const path = `/${randomBytes(24).toString("base64url")}/app`;
  const bundle = { handle, size, sha256, path, left: size * TURNS, sent: 0 };
  const server = createServer((request, response) => {
    answer(request, response, bundle).catch(() => response.destroy());
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  server.setTimeout(PATIENCE);
  server.maxConnections = 16;
  try {
    await listen(server, isOwn(host) ? host : undefined, port);
  } catch (cause) {
    await handle.close();
    const shown = `${host}:${port}`;
    throw errors.serve(shown, `the bundle cannot be offered there: ${systemReason(cause)}`, cause);
  }
  const taken = (server.address() as AddressInfo).port;
  return {
    url: `http://${net.isIPv6(host) ? `[${host}]` : host}:${taken}${path}`,
    sent: () => bundle.sent,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await handle.close();
    },
  };
}

function listen(server: Server, host: string | undefined, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, exclusive: true, ...(host !== undefined && { host }) }, () => resolve());
  });
}

const isOwn = (host: string): boolean =>
  Object.values(os.networkInterfaces()).some((all) => all?.some(({ address }) => address === host));

interface Offered {
  handle: FileHandle;
  size: number;
  sha256: string;
  path: string;
  /** Bytes that may still be sent. */
  left: number;
  sent: number;
}

async function answer(request: IncomingMessage, response: ServerResponse, bundle: Offered) {
  const { method, url, headers } = request;
  // Whoever does not know the address learns nothing, not even that there is one.
  if (url !== bundle.path) return end(response, 404);
  if (method !== "GET" && method !== "HEAD") return end(response, 405, { allow: "GET, HEAD" });
  const etag = `"${bundle.sha256}"`;
  const common = {
    "accept-ranges": "bytes",
    "cache-control": "no-store",
    "content-type": "application/octet-stream",
    etag,
    "repr-digest": `sha-256=:${Buffer.from(bundle.sha256, "hex").toString("base64")}:`,
  };
  const isOther = headers["if-range"] !== undefined && headers["if-range"] !== etag;
  const range = isOther ? undefined : rangeOf(headers.range, bundle.size);
  if (range === "none") {
    return end(response, 416, { ...common, "content-range": `bytes */${bundle.size}` });
  }
  const { from, to } = range ?? { from: 0, to: bundle.size - 1 };
  const length = to - from + 1;
  const sizes = {
    "content-length": length,
    ...(range && { "content-range": `bytes ${from}-${to}/${bundle.size}` }),
  };
  if (method === "HEAD") return end(response, range ? 206 : 200, { ...common, ...sizes });
  if (length > bundle.left) return end(response, 410);
  bundle.left -= length;
  response.writeHead(range ? 206 : 200, { ...common, ...sizes });
  const contents = bundle.handle.createReadStream({ start: from, end: to, autoClose: false });
  contents.on("data", (chunk) => {
    bundle.sent += chunk.length;
  });
  await pipeline(contents, response);
}

function end(
  response: ServerResponse,
  status: number,
  headers: Record<string, string | number> = {},
) {
  response.writeHead(status, { "content-length": 0, ...headers }).end();
}

/**
 * One range of bytes, by RFC 9110, section 14. Several at once, or another unit, are as if none was asked
 * for, which is allowed.
 */
function rangeOf(text: string | undefined, size: number) {
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(text?.trim() ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  const from = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  return from > to || from >= size ? "none" : { from, to };
}

/**
 * The address of this machine on the way to an orchestrator.
 *
 * @throws E_DEPLOY_UNREACHABLE
 */
export function addressTowards(url: URL): Promise<string> {
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, timeout: 10_000 });
    const fail = (cause: unknown) => {
      socket.destroy();
      reject(
        errors.unreachable(
          url.origin,
          "it cannot be reached to learn this machine's address",
          cause,
        ),
      );
    };
    socket.once("connect", () => {
      const { localAddress = "127.0.0.1" } = socket;
      socket.destroy();
      resolve(localAddress);
    });
    socket.once("timeout", () => fail(undefined));
    socket.once("error", fail);
  });
}
