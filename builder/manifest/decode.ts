/** Bytes of section .fuselage → Manifest. The bytes come from anyone; each field is checked. */
import { crc32 } from "node:zlib";
import * as errors from "../errors.ts";
import {
  manifestFlags,
  manifestFormat,
  manifestHeader,
  manifestRecord,
  manifestTags,
  optionWords,
  repeatedTags,
} from "../generated/spec.ts";
import { FIXED_DIRECTORY, isFixedPath } from "./fixed-path.ts";
import { formatMap, isProblem, mapsProblem, parseMap } from "./folder-map.ts";
import { configProblem, type ImageConfig } from "./image-config.ts";
import { fromBytes, type Manifest } from "./manifest.ts";
import { isPermissionProblem, parsePermissions } from "./permission-rules.ts";
import { decodeStartList, type StartRun } from "./start-list.ts";

const knownTags = new Set<number>(Object.values(manifestTags));
const repeated = new Set<number>(repeatedTags);

/**
 * Decodes a manifest.
 *
 * @param file name for messages
 * @returns undefined when the section is empty or all zero: a runtime without an image
 * @throws E_MANIFEST_MALFORMED, E_MANIFEST_VERSION
 */
export function decodeManifest(bytes: Buffer, file: string): Manifest | undefined {
  if (bytes.every((byte) => byte === 0)) return undefined;
  const values = records(checkedBody(bytes, file), bytes.readUInt32LE(manifestHeader.count), file);
  const one = (tag: number) => values.get(tag)?.[0];
  const required = (tag: number, name: string) => {
    const value = one(tag);
    if (value === undefined) throw errors.manifestMalformed(file, `it has no ${name}`);
    return value;
  };
  const entry = one(manifestTags.ENTRY);
  const invocation = values.get(manifestTags.INVOCATION);
  const root = checkedRoot(one(manifestTags.ROOT), file);
  const starts = entry !== undefined || root !== undefined;
  if (starts === (invocation !== undefined)) {
    throw errors.manifestMalformed(file, "it has not one of ENTRY, INVOCATION and ROOT");
  }
  const mountAt = one(manifestTags.MOUNT_AT);
  if (mountAt !== undefined && !isFixedPath(fromBytes(mountAt))) {
    throw errors.manifestMalformed(file, "MOUNT_AT is not a fixed path", {
      expected: `${FIXED_DIRECTORY}NAME`,
      actual: JSON.stringify(mountAt),
    });
  }
  const unset = values.get(manifestTags.UNSET);
  const badName = unset?.find((name) => name === "" || name.includes("="));
  if (badName !== undefined) {
    throw errors.manifestMalformed(file, "UNSET is not the name of a variable", {
      expected: "a name without =",
      actual: JSON.stringify(badName),
    });
  }
  const built = {
    envDefault: values.get(manifestTags.ENV_DEFAULT),
    envPrepend: values.get(manifestTags.ENV_PREPEND),
    envAppend: values.get(manifestTags.ENV_APPEND),
  };
  for (const pair of Object.values(built).flatMap((list) => list ?? [])) {
    if (pair.indexOf("=") > 0) continue;
    throw errors.manifestMalformed(file, "a variable has no name or no value", {
      expected: "K=V",
      actual: JSON.stringify(pair),
    });
  }
  const maps = values.get(manifestTags.MAP);
  checkMaps(maps ?? [], file);
  if (root !== undefined && (maps ?? mountAt) !== undefined) {
    throw errors.manifestMalformed(file, "a root directory appears at no other path");
  }
  const sandbox = values.get(manifestTags.SANDBOX);
  checkSandbox(sandbox ?? [], file);
  const openssl = one(manifestTags.OPENSSL);
  const libc = values.get(manifestTags.LIBC);
  const keep = values.get(manifestTags.KEEP);
  const appImageType = one(manifestTags.APPIMAGE);
  if (appImageType !== undefined && !/^[0-9]{1,3}$/.test(appImageType)) {
    throw errors.manifestMalformed(file, "APPIMAGE is not a type", {
      expected: "decimal digits",
      actual: JSON.stringify(appImageType),
    });
  }
  const needs = (one(manifestTags.NEEDS) ?? "").split(",").filter((word) => word !== "");
  const start = startList(one(manifestTags.START));
  const storedBytes = byteCount(one(manifestTags.STORED));
  const words = optionList(one(manifestTags.OPTIONS), file);
  return {
    name: one(manifestTags.NAME) ?? "",
    ...(entry !== undefined && { entry }),
    ...(invocation && { invocation }),
    args: values.get(manifestTags.ARG) ?? [],
    ...(words.has(optionWords.EXPAND_ARGS) && { expandArgs: true }),
    ...(unset && { unset }),
    env: values.get(manifestTags.ENV) ?? [],
    ...(built.envDefault && { envDefault: built.envDefault }),
    ...(built.envPrepend && { envPrepend: built.envPrepend }),
    ...(built.envAppend && { envAppend: built.envAppend }),
    ...(mountAt !== undefined && { mountAt }),
    ...(maps && { maps }),
    ...(words.has(optionWords.WRITABLE) && { writable: true }),
    ...(needs.length > 0 && { needs }),
    imageSize: imageSize(required(manifestTags.IMAGE_SIZE, "IMAGE_SIZE"), file),
    noRuntimeOptions: words.has(optionWords.NO_RUNTIME_OPTIONS),
    ...(appImageType !== undefined && { appImageType: Number(appImageType) }),
    ...(libc && { libc }),
    ...(openssl !== undefined && { openssl }),
    ...(start !== undefined && { start }),
    ...(storedBytes !== undefined && { storedBytes }),
    ...(keep && { keep }),
    ...(root !== undefined && { root }),
    ...imageConfig(values, file),
    ...(sandbox && { sandbox }),
    version: one(manifestTags.VERSION) ?? "",
    arch: one(manifestTags.ARCH) ?? "",
  };
}

/** ROOT is critical: a word that is not known asks for something else. */
function checkedRoot(text: string | undefined, file: string): "image" | undefined {
  if (text === undefined || text === "image") return text;
  throw errors.manifestVersion(file, "image as ROOT", JSON.stringify(text));
}

function imageConfig(values: ReadonlyMap<number, string[]>, file: string): ImageConfig {
  const one = (tag: number) => values.get(tag)?.[0];
  const config: ImageConfig = {
    cmd: values.get(manifestTags.CMD),
    user: one(manifestTags.USER),
    workdir: one(manifestTags.WORKDIR),
    run: values.get(manifestTags.RUN),
    ports: values.get(manifestTags.PORT),
    volumes: values.get(manifestTags.VOLUME),
    stopSignal: one(manifestTags.STOP_SIGNAL),
    labels: values.get(manifestTags.LABEL),
    source: one(manifestTags.SOURCE),
  };
  const problem = configProblem(config);
  if (problem === undefined) {
    return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
  }
  throw errors.manifestMalformed(file, `${problem.record} is not what it has to be`, {
    expected: problem.expected,
    actual: JSON.stringify(problem.value),
  });
}

/** A hint: one that cannot be read is none, and of another what can be. */
function startList(text: string | undefined): StartRun[] | undefined {
  if (text === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  return decodeStartList(Buffer.from(text, "base64"));
}

/** It is only shown: one that is no number says nothing. */
function byteCount(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

function checkMaps(texts: readonly string[], file: string): void {
  const maps = texts.map((text) => {
    const map = parseMap(text);
    if (!isProblem(map)) return map;
    throw errors.manifestMalformed(file, `MAP ${JSON.stringify(text)}: ${map.what}`);
  });
  const problem = mapsProblem(maps);
  if (problem === undefined) return;
  const text = JSON.stringify(formatMap(problem.map));
  throw errors.manifestMalformed(file, `MAP ${text}: ${problem.what}`);
}

/** A newer builder may know more of them: what is not known asks for something that this one cannot say. */
function checkSandbox(rules: readonly string[], file: string): void {
  const permissions = parsePermissions(rules);
  if (!isPermissionProblem(permissions)) return;
  const { code, rule, what } = permissions;
  const text = JSON.stringify(fromBytes(rule));
  if (code === "E_SANDBOX_RULE") {
    throw errors.manifestVersion(file, "known permissions", `SANDBOX ${text}`);
  }
  throw errors.manifestMalformed(file, `SANDBOX ${text}: ${what}`);
}

/** Checks the header and returns the bytes of the records. */
function checkedBody(bytes: Buffer, file: string): Buffer {
  const { magic, major, headerBytes, maxBytes, maxRecords } = manifestFormat;
  const malformed = (what: string, expected: string, actual: string | number) =>
    errors.manifestMalformed(file, what, { expected, actual: `${actual}` });
  if (bytes.length < headerBytes) {
    throw malformed("the section is too small", `at least ${headerBytes} bytes`, bytes.length);
  }
  const start = bytes.toString("latin1", manifestHeader.magic, magic.length);
  if (start !== magic) {
    const found = JSON.stringify(start);
    throw malformed("it does not start with its magic", JSON.stringify(magic), found);
  }
  if (bytes.readUInt16LE(manifestHeader.major) !== major) {
    throw errors.manifestVersion(
      file,
      `${major}.x`,
      `${bytes.readUInt16LE(manifestHeader.major)}.x`,
    );
  }
  const total = bytes.readUInt32LE(manifestHeader.total);
  if (total < headerBytes || total > maxBytes || total > bytes.length) {
    const limit = Math.min(maxBytes, bytes.length);
    throw malformed("its size is out of range", `${headerBytes} to ${limit} bytes`, total);
  }
  const count = bytes.readUInt32LE(manifestHeader.count);
  if (count > maxRecords) throw malformed("it has too many records", `${maxRecords}`, count);
  const body = bytes.subarray(headerBytes, total);
  const [expected, actual] = [bytes.readUInt32LE(manifestHeader.checksum), crc32(body)];
  if (expected !== actual) {
    throw malformed("its checksum is wrong", expected.toString(16), actual.toString(16));
  }
  return body;
}

/** Values by tag, in order. */
function records(body: Buffer, count: number, file: string): Map<number, string[]> {
  const { recordHeaderBytes, recordAlignment } = manifestFormat;
  const values = new Map<number, string[]>();
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + recordHeaderBytes > body.length) {
      throw errors.manifestMalformed(file, `record ${index} is cut short`);
    }
    const tag = body.readUInt16LE(at + manifestRecord.tag);
    const flags = body.readUInt16LE(at + manifestRecord.flags);
    const length = body.readUInt32LE(at + manifestRecord.length);
    const start = at + recordHeaderBytes;
    if (length === 0 || length > body.length - start) {
      throw errors.manifestMalformed(file, `record ${index} ends outside the manifest`);
    }
    const end = start + length - 1;
    if (body.indexOf(0, start) !== end) {
      throw errors.manifestMalformed(file, `record ${index} is not one text that ends with NUL`);
    }
    at = Math.ceil((start + length) / recordAlignment) * recordAlignment;
    if (!knownTags.has(tag)) {
      if ((flags & manifestFlags.CRITICAL) === 0) continue;
      throw errors.manifestVersion(file, "known critical records", `critical record ${tag}`);
    }
    const list = values.get(tag) ?? [];
    if (list.length > 0 && !repeated.has(tag)) {
      throw errors.manifestMalformed(file, `record ${tag} stands there twice`);
    }
    list.push(body.toString("latin1", start, end));
    values.set(tag, list);
  }
  if (at !== body.length) {
    throw errors.manifestMalformed(file, "bytes follow its last record");
  }
  return values;
}

function imageSize(text: string, file: string): number {
  const size = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(size)) {
    throw errors.manifestMalformed(file, "IMAGE_SIZE is not a size", {
      expected: "decimal digits",
      actual: JSON.stringify(text),
    });
  }
  return size;
}

/** The words of OPTIONS, which is critical: each must be known. */
function optionList(text: string | undefined, file: string): Set<string> {
  const words = (text ?? "").split(",").filter((word) => word !== "");
  const known: readonly string[] = Object.values(optionWords);
  const unknown = words.find((word) => !known.includes(word));
  if (unknown !== undefined) {
    throw errors.manifestVersion(file, known.join(", "), JSON.stringify(unknown));
  }
  return new Set(words);
}
