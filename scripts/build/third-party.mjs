// The C sources that others keep, where they come from, and how each is compiled.
//
// Every codec is its reference implementation, taken at a pinned version from the npm package that
// carries its source. Nothing of it is committed. The runtime links the decoders, the addon both
// directions, so there is one version of each codec on both sides of a bundle.
//
//   zstd 1.5.7      zstd-napi  deps/zstd
//   zlib 1.3.1      zlib-sync  deps/zlib           (also what mksquashfs compresses with)
//   lz4 1.10.0      lmdb       dependencies/lz4
//   liblzma 5.2.4   xz         deps/xz-5.2.4.tar.gz (the release with BCJ filters)
//
// The Zig standard library was the other candidate for gzip and xz: its xz decoder knows no BCJ
// filter, ends in a panic on `discard`, and would tie the runtime to one compiler; plain C builds
// with musl-gcc too.

import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import * as tar from "tar";
import { packageDir, packageVersion, root } from "./zig.mjs";

const filters = ["X86", "ARM", "ARMTHUMB", "POWERPC", "IA64", "SPARC"];

/**
 * One third-party library as the compiler wants it. `version` is that of the package it comes in;
 * `api` is the folder of its public headers; `includes` and `defines` are for its own files only.
 * @typedef {{name: string, version: string, sources: string[], api: string, includes: string[],
 *   defines: string[]}} Library
 */

const under = (/** @type {string} */ dir, /** @type {string[]} */ names) =>
  names.map((name) => path.join(dir, name));

/** What a runtime leaves out of zstd, at the price that was measured with /usr/share and node. */
const smallDecoder = [
  // The other sequence decoder is for windows beyond 16 MiB; a squashfs block ends at 1 MiB.
  "ZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT=1",
  // One Huffman decoder in place of two: 25 KB less. With it and -Os blocks of 128 KiB decompress
  // 3 to 8 % faster than with -O2 and both.
  "HUF_FORCE_DECOMPRESS_X1=1",
  // No second copy of the inner loops for processors with BMI2: 18 KB less, 3 % slower.
  "DYNAMIC_BMI2=0",
];

/**
 * zstd; `encoder` adds the compressor (single-threaded: callers bring their own threads).
 *
 * @param {{encoder: boolean}} wanted
 * @returns {Library}
 */
function zstd({ encoder }) {
  const lib = path.join(packageDir("zstd-napi"), "deps/zstd/lib");
  const common = ["entropy_common", "error_private", "fse_decompress", "xxhash", "zstd_common"];
  const decompress = ["huf_decompress", "zstd_ddict", "zstd_decompress", "zstd_decompress_block"];
  const compress = [
    "fse_compress",
    "hist",
    "huf_compress",
    "zstd_compress",
    "zstd_compress_literals",
    "zstd_compress_sequences",
    "zstd_compress_superblock",
    "zstd_double_fast",
    "zstd_fast",
    "zstd_lazy",
    "zstd_ldm",
    "zstd_opt",
    "zstd_preSplit",
  ];
  const c = (/** @type {string} */ dir, /** @type {string[]} */ names) =>
    under(
      path.join(lib, dir),
      names.map((n) => `${n}.c`),
    );
  return {
    name: "zstd",
    version: packageVersion("zstd-napi"),
    sources: [
      ...c("common", common),
      ...c("decompress", decompress),
      ...(encoder ? c("compress", compress) : []),
    ],
    api: lib,
    includes: [],
    // No legacy formats, no tracing hooks, and C in place of the x86-64 assembly so that both
    // architectures are compiled from the same files.
    defines: [
      "ZSTD_LEGACY_SUPPORT=0",
      "ZSTD_NO_TRACE=1",
      "ZSTD_DISABLE_ASM=1",
      "ZSTD_STRIP_ERROR_STRINGS=1",
      ...(encoder ? [] : smallDecoder),
    ],
  };
}

/** @param {{encoder: boolean}} wanted @returns {Library} */
function zlib({ encoder }) {
  const dir = path.join(packageDir("zlib-sync"), "deps/zlib");
  const decode = ["adler32.c", "crc32.c", "inffast.c", "inflate.c", "inftrees.c", "zutil.c"];
  return {
    name: "zlib",
    version: packageVersion("zlib-sync"),
    sources: under(dir, encoder ? [...decode, "deflate.c", "trees.c", "uncompr.c"] : decode),
    api: dir,
    includes: [],
    defines: ["HAVE_UNISTD_H=1", "NO_GZIP=1"],
  };
}

/** @param {{encoder: boolean}} wanted @returns {Library} */
function lz4({ encoder }) {
  const dir = path.join(packageDir("lmdb"), "dependencies/lz4/lib");
  return {
    name: "lz4",
    version: packageVersion("lmdb"),
    sources: under(dir, encoder ? ["lz4.c", "lz4hc.c"] : ["lz4.c"]),
    api: dir,
    includes: [],
    defines: ["LZ4LIB_VISIBILITY=", "LZ4_HEAPMODE=1"],
  };
}

/**
 * The folder of its sources; both machines may be built at once.
 * @type {Promise<string> | undefined}
 */
let xz;

function unpackedXz() {
  xz ??= unpackXz();
  return xz;
}

async function unpackXz() {
  const target = path.join(root, "build/third-party/xz-5.2.4");
  if (existsSync(target)) return target;
  const staging = `${target}.${process.pid}`;
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  const file = path.join(packageDir("xz"), "deps/xz-5.2.4.tar.gz");
  await readFile(file); // A missing file is named by this error rather than by tar's.
  await tar.x({ file, cwd: staging, strip: 1 });
  await rename(staging, target).catch(async (error) => {
    if (!existsSync(target)) throw error; // Another build won the race; its copy is the same.
    await rm(staging, { recursive: true, force: true });
  });
  return target;
}

/** What encoding adds to the sources below, for streams that are made in one call. */
const xzEncoder = [
  "common/block_buffer_encoder.c",
  "common/block_header_encoder.c",
  "common/filter_encoder.c",
  "common/filter_flags_encoder.c",
  "common/index.c",
  "common/index_encoder.c",
  "common/stream_buffer_encoder.c",
  "common/stream_flags_encoder.c",
  "common/vli_encoder.c",
  "lz/lz_encoder.c",
  "lz/lz_encoder_mf.c",
  "lzma/fastpos_table.c",
  "lzma/lzma2_encoder.c",
  "lzma/lzma_encoder.c",
  "lzma/lzma_encoder_optimum_fast.c",
  "lzma/lzma_encoder_optimum_normal.c",
  "lzma/lzma_encoder_presets.c",
  "rangecoder/price_table.c",
  "simple/simple_encoder.c",
];

/** The same as definitions; all match finders, because a preset may ask for any. */
const xzEncoderDefines = [
  "HAVE_ENCODERS=1",
  "HAVE_ENCODER_LZMA1=1",
  "HAVE_ENCODER_LZMA2=1",
  ...["HC3", "HC4", "BT2", "BT3", "BT4"].map((finder) => `HAVE_MF_${finder}=1`),
  ...filters.map((name) => `HAVE_ENCODER_${name}=1`),
  "TUKLIB_FAST_UNALIGNED_ACCESS=1", // every machine of ours may; it finds matches faster
];

/** @param {{encoder: boolean}} wanted @returns {Promise<Library>} */
async function liblzma({ encoder }) {
  const src = path.join(await unpackedXz(), "src");
  const lib = path.join(src, "liblzma");
  return {
    name: "liblzma",
    version: packageVersion("xz"),
    sources: under(lib, [
      "check/check.c",
      ...(encoder
        ? ["check/crc32_fast.c", "check/crc32_table.c", "check/crc64_fast.c", "check/crc64_table.c"]
        : ["check/crc32_small.c", "check/crc64_small.c"]),
      "common/block_decoder.c",
      "common/block_header_decoder.c",
      "common/block_util.c",
      "common/common.c",
      "common/filter_common.c",
      "common/filter_decoder.c",
      "common/filter_flags_decoder.c",
      "common/index_hash.c",
      "common/stream_buffer_decoder.c",
      "common/stream_decoder.c",
      "common/stream_flags_common.c",
      "common/stream_flags_decoder.c",
      "common/vli_decoder.c",
      "common/vli_size.c",
      "lz/lz_decoder.c",
      "lzma/lzma2_decoder.c",
      "lzma/lzma_decoder.c",
      "simple/simple_coder.c",
      "simple/simple_decoder.c",
      ...filters.map((name) => `simple/${name.toLowerCase()}.c`),
      ...(encoder ? xzEncoder : []),
    ]),
    api: path.join(lib, "api"),
    includes: [
      path.join(src, "common"),
      ...["check", "common", "delta", "lz", "lzma", "rangecoder", "simple"].map((d) =>
        path.join(lib, d),
      ),
    ],
    defines: [
      "NDEBUG=1", // as its own configure does: hostile input reaches its assertions
      "HAVE_STDINT_H=1",
      "HAVE_INTTYPES_H=1",
      "HAVE_STDBOOL_H=1",
      "HAVE__BOOL=1",
      "HAVE_STRING_H=1",
      "HAVE_LIMITS_H=1",
      "SIZEOF_SIZE_T=8",
      "HAVE_VISIBILITY=0",
      "HAVE_CHECK_CRC32=1",
      "HAVE_CHECK_CRC64=1",
      "HAVE_DECODERS=1",
      "HAVE_DECODER_LZMA2=1",
      ...filters.map((name) => `HAVE_DECODER_${name}=1`),
      ...(encoder ? xzEncoderDefines : ["HAVE_SMALL=1"]),
    ],
  };
}

/** All four codecs, decoding only: what the runtime links. @returns {Promise<Library[]>} */
export async function decoders() {
  return [
    zstd({ encoder: false }),
    zlib({ encoder: false }),
    lz4({ encoder: false }),
    await liblzma({ encoder: false }),
  ];
}

/** All four codecs, both directions: what the addon links. @returns {Promise<Library[]>} */
export async function codecs() {
  return [
    zstd({ encoder: true }),
    zlib({ encoder: true }),
    lz4({ encoder: true }),
    await liblzma({ encoder: true }),
  ];
}
