/** Where an image is written to: what registries, layouts and archives have in common. */
import type { Descriptor, Region } from "./store.ts";

/** How a blob came to be there. */
export type Written = "present" | "mounted" | "written";

export interface BlobSink {
  /** Where it goes, for messages. */
  readonly shown: string;
  /**
   * Makes a blob be there: nothing is written where it is already. All blobs that a manifest names come
   * before it.
   *
   * @param contents bytes, or a part of a file; size and digest are those of `descriptor`
   * @param from repositories of the same registry that may have it
   */
  blob(
    descriptor: Descriptor,
    contents: Uint8Array | Region,
    from?: readonly string[],
  ): Promise<Written>;
  /**
   * Writes a manifest or an index, by its digest and under tags. An index comes behind what it names.
   *
   * @param mediaType its own
   * @param tags none: it is found by its digest alone
   */
  manifest(mediaType: string, bytes: Uint8Array, tags?: readonly string[]): Promise<Descriptor>;
  /** Nothing more comes. */
  close(): Promise<void>;
}
