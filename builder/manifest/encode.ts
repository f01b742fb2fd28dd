/** Manifest → bytes. The layout is in docs/format.md, the numbers in scripts/spec/manifest.json. */
import { crc32 } from "node:zlib";
import * as errors from "../errors.ts";
import {
  criticalTags,
  manifestFlags,
  manifestFormat,
  manifestHeader,
  manifestRecord,
  manifestTags,
  optionWords,
} from "../generated/spec.ts";
import type { Manifest } from "./manifest.ts";
import { encodeStartList, type StartRun } from "./start-list.ts";

type Tag = (typeof manifestTags)[keyof typeof manifestTags];

/** Widest IMAGE_SIZE: 2^53 has 16 digits. */
const WIDEST_SIZE = Number.MAX_SAFE_INTEGER;

function record(tag: Tag, value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  if (bytes.includes(0)) throw errors.internal(new Error(`manifest record ${tag} holds a NUL`));
  const { recordHeaderBytes, recordAlignment } = manifestFormat;
  const unpadded = recordHeaderBytes + bytes.length + 1;
  const out = Buffer.alloc(Math.ceil(unpadded / recordAlignment) * recordAlignment);
  const critical = (criticalTags as readonly number[]).includes(tag);
  out.writeUInt16LE(tag, manifestRecord.tag);
  out.writeUInt16LE(critical ? manifestFlags.CRITICAL : 0, manifestRecord.flags);
  out.writeUInt32LE(bytes.length + 1, manifestRecord.length);
  bytes.copy(out, recordHeaderBytes);
  return out;
}

const optional = (tag: Tag, value: string | undefined) =>
  value === undefined ? [] : [record(tag, value)];

const repeated = (tag: Tag, values: readonly string[] | undefined) =>
  (values ?? []).map((value) => record(tag, value));

/** What a bundle has whose image is the app's root. */
function rootRecords(manifest: Manifest): Buffer[] {
  return [
    ...optional(manifestTags.ROOT, manifest.root),
    ...repeated(manifestTags.CMD, manifest.cmd),
    ...optional(manifestTags.USER, manifest.user),
    ...optional(manifestTags.WORKDIR, manifest.workdir),
    ...repeated(manifestTags.RUN, manifest.run),
    ...repeated(manifestTags.PORT, manifest.ports),
    ...repeated(manifestTags.VOLUME, manifest.volumes),
    ...optional(manifestTags.STOP_SIGNAL, manifest.stopSignal),
    ...repeated(manifestTags.LABEL, manifest.labels),
    ...optional(manifestTags.SOURCE, manifest.source),
  ];
}

const startText = (runs: readonly StartRun[]) =>
  Buffer.from(encodeStartList(runs)).toString("base64");

/**
 * Encodes a manifest.
 *
 * @throws E_MANIFEST_LIMIT when it has more than 1 MiB or 4096 records
 */
export function encodeManifest(manifest: Manifest): Buffer {
  const options = [
    ...(manifest.noRuntimeOptions ? [optionWords.NO_RUNTIME_OPTIONS] : []),
    ...(manifest.writable ? [optionWords.WRITABLE] : []),
    ...(manifest.expandArgs ? [optionWords.EXPAND_ARGS] : []),
  ];
  const records = [
    record(manifestTags.NAME, manifest.name),
    ...optional(manifestTags.ENTRY, manifest.entry),
    ...repeated(manifestTags.INVOCATION, manifest.invocation),
    ...repeated(manifestTags.ARG, manifest.args),
    ...repeated(manifestTags.UNSET, manifest.unset),
    ...repeated(manifestTags.ENV, manifest.env),
    ...repeated(manifestTags.ENV_DEFAULT, manifest.envDefault),
    ...repeated(manifestTags.ENV_PREPEND, manifest.envPrepend),
    ...repeated(manifestTags.ENV_APPEND, manifest.envAppend),
    ...optional(manifestTags.MOUNT_AT, manifest.mountAt),
    ...repeated(manifestTags.MAP, manifest.maps),
    record(manifestTags.IMAGE_SIZE, `${manifest.imageSize}`),
    ...(options.length > 0 ? [record(manifestTags.OPTIONS, options.join(","))] : []),
    ...optional(manifestTags.NEEDS, manifest.needs?.join(",")),
    ...optional(manifestTags.APPIMAGE, manifest.appImageType?.toString()),
    ...optional(manifestTags.OPENSSL, manifest.openssl),
    ...repeated(manifestTags.LIBC, manifest.libc),
    ...optional(manifestTags.START, manifest.start && startText(manifest.start)),
    ...optional(manifestTags.STORED, manifest.storedBytes?.toString()),
    ...repeated(manifestTags.KEEP, manifest.keep),
    ...rootRecords(manifest),
    ...repeated(manifestTags.SANDBOX, manifest.sandbox),
    record(manifestTags.VERSION, manifest.version),
    record(manifestTags.ARCH, manifest.arch),
  ];
  const body = Buffer.concat(records);
  const { magic, major, minor, headerBytes, maxBytes, maxRecords } = manifestFormat;
  const total = headerBytes + body.length;
  if (total > maxBytes) {
    throw errors.manifestLimit(
      "arguments and variables are too long",
      `at most ${maxBytes} bytes`,
      `${total} bytes`,
    );
  }
  if (records.length > maxRecords) {
    throw errors.manifestLimit(
      "there are too many arguments and variables",
      `at most ${maxRecords} records`,
      `${records.length}`,
    );
  }
  const header = Buffer.alloc(headerBytes);
  header.write(magic, manifestHeader.magic, "latin1");
  header.writeUInt16LE(major, manifestHeader.major);
  header.writeUInt16LE(minor, manifestHeader.minor);
  header.writeUInt32LE(total, manifestHeader.total);
  header.writeUInt32LE(records.length, manifestHeader.count);
  header.writeUInt32LE(crc32(body), manifestHeader.checksum);
  return Buffer.concat([header, body]);
}

/** Bytes that this manifest has at the most, whatever size its image turns out to have. */
export function manifestBound(manifest: Omit<Manifest, "imageSize">): number {
  return encodeManifest({ ...manifest, imageSize: WIDEST_SIZE }).length;
}
