// The squashfs 4.0 writer, and the reader that shares its C code with the runtime.

export {
  type ExtractOptions,
  type ExtractReport,
  type ImageEntry,
  type ImageReader,
  openImage,
  type SuperblockFacts,
} from "./image-reader.ts";
export {
  type Compression,
  DEFAULT_BLOCK_SIZE,
  type Destination,
  defaultMtime,
  type ImageFacts,
  LEVELS,
  type Progress,
  type WriteOptions,
} from "./squashfs-options.ts";
export { writeSquashfs } from "./writer.ts";
