/** A blob into a file, checked while it arrives, and continued where the connection was cut. */
import type { Hash } from "node:crypto";
import * as ociErrors from "../../errors.ts";
import type { NewBlob } from "../blob-cache.ts";
import { type Descriptor, hashOf, requireDigest } from "../store.ts";
import type { RegistryClient } from "./client.ts";
import * as errors from "./registry-errors.ts";
import { isCut, pause, waitBefore } from "./retry.ts";
import { type Answer, discard, withoutQuery } from "./transport.ts";

/** Bytes that are worth a connection. */
const PIECE = 64 << 10;

export interface Download {
  client: RegistryClient;
  /** "blobs/sha256:..." */
  to: string;
  descriptor: Descriptor;
  /** The blob, for messages. */
  shown: string;
  /** Takes the bytes. */
  blob: Pick<NewBlob, "write">;
  /** Is told of bytes that are in the file; less than none where they were for nothing. */
  onBytes: (bytes: number) => void;
}

/**
 * Downloads a blob. Nothing of it counts before this has returned.
 *
 * @throws E_OCI_SIZE, E_OCI_DIGEST, and what `RegistryClient.call` throws
 */
export async function download(job: Download): Promise<void> {
  const part = new Part(job);
  for (let tries = 1; ; tries++) {
    const before = part.length;
    let url: URL | undefined;
    try {
      const answer = await job.client.call(part.call());
      url = answer.url;
      await part.take(answer);
      part.finish();
      return;
    } catch (cause) {
      // A registry that sends a good piece each time gets there.
      if (part.length - before >= PIECE) tries = 1;
      const wait = url !== undefined && isCut(cause) ? waitBefore(tries) : undefined;
      if (url === undefined || wait === undefined) {
        part.forget();
        throw url === undefined ? cause : job.client.failure(cause, url);
      }
      await pause(wait, job.client.transport.signal);
    }
  }
}

/** What has arrived. */
class Part {
  length = 0;
  #hash: Hash;
  readonly #job: Download;

  constructor(job: Download) {
    this.#job = job;
    this.#hash = hashOf(job.descriptor.digest);
  }

  call() {
    const range = { range: `bytes=${this.length}-` };
    const headers = { accept: "*/*", ...(this.length > 0 && range) };
    return { method: "GET" as const, to: this.#job.to, headers };
  }

  /** Nothing of it is of use. */
  forget(): void {
    this.#job.onBytes(-this.length);
    this.length = 0;
    this.#hash = hashOf(this.#job.descriptor.digest);
  }

  /** @throws E_OCI_SIZE, E_REGISTRY_ANSWER, and what the network says */
  async take(answer: Answer): Promise<void> {
    const { client, descriptor, shown, blob, onBytes } = this.#job;
    const { size } = descriptor;
    if (answer.status === 200) this.forget();
    else if (answer.status !== 206 || this.length === 0) {
      throw await client.refusal(answer, `blob ${descriptor.digest}`);
    }
    try {
      this.#checkHead(answer);
    } catch (cause) {
      discard(answer);
      throw cause;
    }
    for await (const chunk of client.transport.bytes(answer)) {
      if (this.length + chunk.length > size) {
        throw ociErrors.ociSize(shown, size, this.length + chunk.length);
      }
      await blob.write(chunk, this.length);
      this.#hash.update(chunk);
      this.length += chunk.length;
      onBytes(chunk.length);
    }
    // A body whose end only the end of the connection tells may be cut in silence.
    if (this.length < size && answer.header("content-length") === undefined) throw cut();
  }

  /** @throws E_OCI_SIZE, E_REGISTRY_ANSWER */
  #checkHead(answer: Answer): void {
    const { descriptor, shown } = this.#job;
    const { size } = descriptor;
    const encoding = answer.header("content-encoding") ?? "identity";
    if (encoding !== "identity") {
      throw errors.answer(
        withoutQuery(answer.url),
        "a blob comes in an encoding nobody asked for",
        {
          actual: JSON.stringify(encoding.slice(0, 100)),
        },
      );
    }
    if (answer.status === 206) {
      const range = answer.header("content-range") ?? "";
      const [, from = "", all = ""] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(range) ?? [];
      if (Number(from || -1) !== this.length || (all !== "*" && Number(all) !== size)) {
        throw errors.answer(withoutQuery(answer.url), "another part of the blob comes", {
          expected: `bytes ${this.length}-${size - 1}/${size}`,
          actual: JSON.stringify(range.slice(0, 100)),
        });
      }
    }
    const announced = answer.header("content-length");
    if (announced !== undefined && Number(announced) > size - this.length) {
      throw ociErrors.ociSize(shown, size, this.length + Number(announced));
    }
    if (answer.status === 200 && announced !== undefined && Number(announced) !== size) {
      throw ociErrors.ociSize(shown, size, Number(announced));
    }
  }

  /** @throws E_OCI_SIZE, E_OCI_DIGEST */
  finish(): void {
    const { descriptor, shown } = this.#job;
    if (this.length !== descriptor.size) {
      throw ociErrors.ociSize(shown, descriptor.size, this.length);
    }
    requireDigest(this.#hash, descriptor.digest, shown);
  }
}

const cut = () =>
  Object.assign(new Error("the answer ended too early"), { code: "UND_ERR_SOCKET" });
