/**
 * One blob to a registry, in chunks: a connection that is cut goes on behind what arrived. By
 * "Pushing a blob in chunks" of the distribution specification.
 */
import type { FileHandle } from "node:fs/promises";
import * as ociErrors from "../../errors.ts";
import { openRegion } from "../files.ts";
import { type Descriptor, hashOf, type Region, requireBlob, requireDigest } from "../store.ts";
import type { Call, RegistryClient } from "./client.ts";
import * as errors from "./registry-errors.ts";
import { askedWait, isCut, isPassing, pause, waitBefore } from "./retry.ts";
import { type Answer, discard } from "./transport.ts";

/** Bytes of a chunk: what is sent again at most where a registry keeps nothing of one that was cut. */
const CHUNK = 16 << 20;
const MAX_CHUNK = 256 << 20;
/** Bytes that a registry has to keep more of a chunk, or it is as good as nothing. */
const LEAST = 4096;

/** The bytes of a blob, wherever they are. */
export interface Contents {
  size: number;
  read(from: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Opens what is to be sent. A file is read once to be sure that it is what its digest says: a registry
 * would find out only at the end.
 *
 * @throws E_OCI_SIZE, E_OCI_DIGEST, E_FILE_UNREADABLE
 */
export async function contentsOf(
  given: Uint8Array | Region,
  descriptor: Descriptor,
  shown: string,
): Promise<Contents> {
  const named = `${shown}, ${descriptor.digest}`;
  if (given instanceof Uint8Array) {
    requireBlob(given, descriptor, named);
    return {
      size: given.length,
      read: async (from, length) => given.subarray(from, from + length),
      close: async () => {},
    };
  }
  if (given.size !== descriptor.size) throw ociErrors.ociSize(named, descriptor.size, given.size);
  const file = await openRegion(given);
  const contents = new FileContents(file, given);
  try {
    const hash = hashOf(descriptor.digest);
    for (let at = 0; at < given.size; at += CHUNK) hash.update(await contents.read(at, CHUNK));
    requireDigest(hash, descriptor.digest, named);
    return contents;
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

class FileContents implements Contents {
  readonly size: number;
  readonly #file: FileHandle;
  readonly #region: Region;

  constructor(file: FileHandle, region: Region) {
    this.size = region.size;
    this.#file = file;
    this.#region = region;
  }

  /** @throws E_OCI_SIZE where the file has become shorter */
  async read(from: number, length: number): Promise<Uint8Array> {
    const { path, offset, size } = this.#region;
    const bytes = Buffer.allocUnsafe(Math.min(length, size - from));
    for (let done = 0; done < bytes.length; ) {
      const at = offset + from + done;
      const { bytesRead } = await this.#file.read(bytes, done, bytes.length - done, at);
      if (bytesRead === 0) throw ociErrors.ociSize(path, size, from + done);
      done += bytesRead;
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

export interface Upload {
  client: RegistryClient;
  descriptor: Descriptor;
  contents: Contents;
  /** What has been begun already, of status 202. */
  begun: Answer | undefined;
  /** Begins one, anew: an answer of status 202. */
  begin: () => Promise<Answer>;
  /** The image, for messages. */
  shown: string;
  chunkSize: number | undefined;
  /** Is told of bytes that arrived. */
  onBytes: (bytes: number) => void;
}

/**
 * Sends a blob.
 *
 * @throws E_REGISTRY_UPLOAD, and what `RegistryClient.call` throws
 */
export async function upload(job: Upload): Promise<void> {
  const state = new State(job);
  let most = 0;
  for (let tries = 1; ; tries++) {
    try {
      await state.resume(tries);
      await state.sendAll();
      return;
    } catch (cause) {
      // Further than ever: one that takes back what it had, and has it again, gets no more tries for that.
      if (state.sent >= most + LEAST) {
        tries = 1;
        most = state.sent;
      }
      const isPast = cause instanceof Passing;
      const asked = isPast ? cause.asked : undefined;
      const wait = isPast || isCut(cause) ? waitBefore(tries, asked) : undefined;
      if (wait === undefined) {
        throw isPast
          ? errors.upload(job.shown, cause.message)
          : job.client.failure(cause, state.at);
      }
      await pause(wait, job.client.transport.signal);
    }
  }
}

/** An answer that may be another one soon. */
class Passing extends Error {
  /** How long the registry asks to be left alone, ms. */
  readonly asked: number | undefined;

  constructor(message: string, asked?: number) {
    super(message);
    this.asked = asked;
  }
}

class State {
  /** Bytes that the registry has. */
  sent = 0;
  #location: URL | undefined;
  readonly #job: Upload;
  #chunk: number;

  constructor(job: Upload) {
    this.#job = job;
    this.#chunk = job.chunkSize ?? CHUNK;
  }

  /** Where the next piece goes. */
  get at(): URL {
    return this.#location ?? new URL(`https://${this.#job.client.endpoint.host}/`);
  }

  /** Begins, or finds out how far it is. An upload that the registry has forgotten begins anew. */
  async resume(tries: number): Promise<void> {
    const { begun, begin, client } = this.#job;
    if (this.#location !== undefined && tries > 1) {
      const answer = await client.call({ method: "GET", to: this.#location });
      discard(answer);
      const end = answer.status === 204 ? rangeEnd(answer) : undefined;
      if (end !== undefined && end <= this.#job.contents.size) {
        this.#job.onBytes(end - this.sent);
        this.sent = end;
        if (answer.header("location") !== undefined) this.#moveTo(answer);
        return;
      }
      this.#location = undefined;
    }
    if (this.#location !== undefined) return;
    this.#job.onBytes(-this.sent);
    this.sent = 0;
    const answer = tries === 1 && begun !== undefined ? begun : await begin();
    discard(answer);
    const least = Number(answer.header("oci-chunk-min-length") ?? 0);
    if (least > this.#chunk) this.#chunk = Math.min(least, MAX_CHUNK);
    this.#moveTo(answer);
  }

  #moveTo(answer: Answer): void {
    this.#location = this.#job.client.target(answer.header("location"), answer.url);
  }

  /** All chunks, of which the last one goes with the digest. */
  async sendAll(): Promise<void> {
    const { contents, descriptor, onBytes } = this.#job;
    while (contents.size - this.sent > this.#chunk) {
      const bytes = await contents.read(this.sent, this.#chunk);
      const end = this.sent + bytes.length;
      const headers = { "content-range": `${this.sent}-${end - 1}` };
      const answer = await this.#send("PATCH", this.at, bytes, headers, [202]);
      const kept = rangeEnd(answer) ?? end;
      if (kept > end || kept < this.sent) {
        throw errors.upload(this.#job.shown, `it has ${kept} bytes of ${end} that were sent`);
      }
      if (kept - this.sent < Math.min(LEAST, bytes.length)) {
        const little = kept - this.sent;
        throw new Passing(
          `it takes a chunk, and keeps ${little || "nothing"} of ${bytes.length} bytes`,
        );
      }
      onBytes(kept - this.sent);
      this.sent = kept;
      this.#moveTo(answer);
    }
    const last = await contents.read(this.sent, contents.size - this.sent);
    const url = new URL(this.at);
    url.searchParams.set("digest", descriptor.digest);
    const answer = await this.#send("PUT", url, last, {}, [201, 204]);
    requireKept(answer, descriptor.digest, this.#job.shown);
    onBytes(last.length);
    this.sent = contents.size;
  }

  /** One try: what arrived of it has to be asked for before the next. */
  async #send(
    method: "PATCH" | "PUT",
    to: URL,
    bytes: Uint8Array,
    more: Call["headers"],
    wanted: readonly number[],
  ): Promise<Answer> {
    const { client, descriptor, shown } = this.#job;
    const headers = { "content-type": "application/octet-stream", ...more };
    const answer = await client.call({ method, to, headers, body: () => bytes, again: false });
    if (wanted.includes(answer.status)) {
      discard(answer);
      return answer;
    }
    if (isPassing(answer.status) || answer.status === 416) {
      discard(answer);
      const asked = askedWait(answer);
      const wait = asked === undefined ? "" : `, and wants ${Math.ceil(asked / 1000)} s of peace`;
      throw new Passing(`it answers ${answer.status} to ${descriptor.digest}${wait}`, asked);
    }
    const said = await client.said(answer);
    const words = said === undefined ? "" : ` (${said})`;
    throw errors.upload(shown, `it answers ${answer.status} to ${descriptor.digest}${words}`);
  }
}

/**
 * What a registry says that it keeps a blob as, by the digest and the place that it names.
 *
 * @throws E_REGISTRY_UPLOAD
 */
export function requireKept(answer: Answer, digest: string, shown: string): void {
  const place = answer.header("location") ?? "";
  const [, named] = /\/blobs\/([a-z0-9]+(?::|%3[Aa])[0-9a-f]+)$/.exec(place) ?? [];
  for (const said of [answer.header("docker-content-digest"), named?.replace(/%3a/i, ":")]) {
    if (said === undefined || said === digest) continue;
    throw errors.upload(shown, `it keeps ${digest} as ${said.slice(0, 200)}`);
  }
}

/** Bytes that are there, by the header Range: `0-N` is N and one more. */
function rangeEnd(answer: Answer): number | undefined {
  const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(answer.header("range") ?? "") ?? [];
  if (last === undefined) return undefined;
  // With nothing there it can only be said as 0-0, which is one byte elsewhere.
  return last === "0" ? 0 : Number(last) + 1;
}
