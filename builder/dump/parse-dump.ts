/** Lines of a dump → records, and records → a tree. */
import { createHash } from "node:crypto";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import * as errors from "../errors.ts";
import { sha256OfFile } from "../host/digest.ts";
import { diskContents } from "../input/add-input.ts";
import {
  type Attributes,
  contentSize,
  directoryNode,
  type Node,
  symlinkNode,
} from "../tree/node.ts";
import { Tree } from "../tree/tree.ts";
import { types } from "./dump-entry.ts";

/** What a line says. Texts are byte strings. */
interface Row {
  path: string;
  type: string;
  attributes: Attributes;
  size: number | undefined;
  target: string | undefined;
  device: { major: number; minor: number } | undefined;
  sha256: string | undefined;
  first: string | undefined;
}

/** The line at fault, for the message. */
interface Place {
  shown: string;
  line: number;
}

const invalid = ({ shown, line }: Place, what: string) =>
  errors.dumpInvalid(`${shown}:${line}`, what);

/**
 * The tree of which a dump is. Contents are looked for by their digests, as HEX, as the first two digits and
 * the others, or as sha256/HEX, and each is checked.
 *
 * @param objects folder with the contents; undefined: the dump has no file that is not empty
 * @param defaults of what the dump leaves out
 * @throws E_DUMP_INVALID, E_DUMP_OBJECT, E_PATH_INVALID, E_FILE_UNREADABLE
 */
export async function treeOfDump(
  lines: AsyncIterable<string>,
  shown: string,
  objects: string | undefined,
  defaults: { mtime: number },
): Promise<Tree> {
  const tree = new Tree({ mtime: defaults.mtime });
  const place = { shown, line: 0 };
  for await (const line of lines) {
    place.line++;
    if (line === "") continue;
    const row = rowOf(line, place, defaults.mtime);
    if (row.path === "") {
      if (row.type !== "dir") throw invalid(place, "the root is no directory");
      Object.assign(tree.root, row.attributes);
      continue;
    }
    const node = firstOf(tree, row, place);
    if (tree.get(row.path.slice(0, Math.max(0, row.path.lastIndexOf("/"))))?.kind !== "directory") {
      throw invalid(place, "the folder that it is in has no line before it");
    }
    tree.add(row.path, node ?? (await nodeOf(row, place, objects)));
  }
  if (place.line === 0) throw errors.dumpInvalid(shown, "is empty");
  return tree;
}

/** The inode that a line is another name of; undefined: it is the first one. */
function firstOf(tree: Tree, row: Row, place: Place): Node | undefined {
  if (row.first === undefined || row.first === row.path) return undefined;
  const node = tree.get(row.first);
  if (node === undefined || row.first === "") {
    throw invalid(place, "the first name of its inode has no line before it");
  }
  if (node.kind === "directory" || types[node.kind] !== row.type) {
    throw invalid(place, `the first name of its inode is a "${types[node.kind]}"`);
  }
  const known = contentsSaid(node);
  const said = Object.entries(known).map(([key, value]) => row[key as keyof typeof known] ?? value);
  if (
    !isDeepStrictEqual(said, Object.values(known)) ||
    !isDeepStrictEqual(attributesSaid(row.attributes), attributesSaid(node))
  ) {
    throw invalid(place, "it says other things than the first name of its inode");
  }
  return node;
}

/** What the names of one inode have in common, and each line says. */
const attributesSaid = ({ mode, uid, gid, mtime, xattrs }: Attributes) => ({
  ...{ mode, uid, gid, mtime },
  xattrs: xattrs.map(({ name, value }) => [name, Buffer.from(value).toString("latin1")]),
});

/** The same of what the line of a second name may leave out. */
function contentsSaid(node: Node): Partial<Pick<Row, "size" | "sha256" | "target" | "device">> {
  switch (node.kind) {
    case "file": {
      const { contents } = node;
      const sha256 = contents.from === "disk" ? contents.digest : SHA256_OF_NOTHING;
      return { size: contentSize(contents), sha256 };
    }
    case "symlink":
      return { target: node.target };
    case "block-device":
    case "character-device":
      return { device: { major: node.major, minor: node.minor } };
    default:
      return {};
  }
}

const SHA256_OF_NOTHING = createHash("sha256").digest("hex");

async function nodeOf(row: Row, place: Place, objects: string | undefined): Promise<Node> {
  const { type, attributes, target, device } = row;
  switch (type) {
    case "dir":
      return directoryNode(attributes);
    case "link":
      if (target === undefined) throw invalid(place, "a link has no target=");
      return symlinkNode(target, attributes);
    case "file":
      return { kind: "file", ...attributes, contents: await contentsOf(row, place, objects) };
    case "block":
    case "char": {
      if (device === undefined) throw invalid(place, "a device has no device=");
      const kind = type === "block" ? "block-device" : "character-device";
      return { kind, ...attributes, ...device };
    }
    case "fifo":
    case "socket":
      return { kind: type, ...attributes };
    default:
      throw invalid(place, `there is no type "${type}"`);
  }
}

async function contentsOf({ size, sha256 }: Row, place: Place, objects: string | undefined) {
  if (size === 0) {
    if (sha256 !== undefined && sha256 !== SHA256_OF_NOTHING) {
      throw invalid(place, "its size is 0, and its sha256 is that of other contents");
    }
    return { from: "memory", bytes: new Uint8Array(0) } as const;
  }
  if (size === undefined || sha256 === undefined) {
    throw invalid(place, "a file has no size or no sha256=");
  }
  if (objects === undefined) throw errors.optionMissing("objects", "where the contents are");
  for (const name of [sha256, `${sha256.slice(0, 2)}/${sha256.slice(2)}`, `sha256/${sha256}`]) {
    const file = path.join(objects, name);
    const contents = await diskContents(file).catch((cause: unknown) => {
      const { cause: reason } = cause as { cause?: unknown };
      if (["ENOENT", "ENOTDIR"].includes(errors.errnoCode(reason) ?? "")) return undefined;
      throw cause;
    });
    if (contents === undefined) continue;
    const actual = (await sha256OfFile(file)).toString("hex");
    if (actual !== sha256) throw errors.dumpObject(file, `has other contents, sha256 ${actual}`);
    if (contentSize(contents) !== size) {
      const found = contentSize(contents);
      throw invalid(place, `its size is ${size}, and these contents have ${found} bytes`);
    }
    return contents.from === "disk" ? { ...contents, digest: actual } : contents;
  }
  throw errors.dumpObject(
    path.join(objects, sha256),
    "is not there, and a file of the dump has these contents",
  );
}

/** As `dumpLine` writes it, or as JSON. */
function rowOf(line: string, place: Place, mtime: number): Row {
  if (line.startsWith("{")) return rowOfJson(line, place, mtime);
  const [shownPath = "", type = "", mode = "", owner = "", size = "", time = "", ...more] =
    line.split(" ");
  const values = new Map(
    more.map((pair) => {
      const equals = pair.indexOf("=");
      if (equals < 1) throw invalid(place, `"${pair}" is no KEY=VALUE`);
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
  const [uid = "0", gid = "0"] = owner === "-" ? [] : owner.split(":");
  return made(place, {
    ...{ path: shownPath, type, mode, uid, gid },
    mtime: time === "-" ? `${mtime}` : time,
    size: size === "-" ? undefined : size,
    target: values.get("target"),
    device: values.get("device"),
    sha256: values.get("sha256"),
    first: values.get("first"),
    xattrs: [...values].flatMap(([key, value]) =>
      key.startsWith("xattr.") ? [[key.slice("xattr.".length), value] as const] : [],
    ),
  });
}

function rowOfJson(line: string, place: Place, mtime: number): Row {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(line) as Record<string, unknown>;
  } catch {
    throw invalid(place, "it is no JSON");
  }
  const text = (key: string) => (record[key] === undefined ? undefined : String(record[key]));
  const xattrs = record["xattrs"] ?? {};
  if (!isObjectOfTexts(xattrs)) throw invalid(place, "its xattrs are no object of texts");
  return made(place, {
    path: text("path") ?? "",
    type: text("type") ?? "",
    mode: text("mode") ?? "",
    uid: text("uid") ?? "0",
    gid: text("gid") ?? "0",
    mtime: text("mtime") ?? `${mtime}`,
    size: text("size"),
    target: text("target"),
    device: text("device"),
    sha256: text("sha256"),
    first: text("first"),
    xattrs: Object.entries(xattrs),
  });
}

const isObjectOfTexts = (value: unknown): value is Record<string, string> =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((one) => typeof one === "string");

/** Every column as it stands there. */
interface Columns {
  path: string;
  type: string;
  mode: string;
  uid: string;
  gid: string;
  mtime: string;
  size: string | undefined;
  target: string | undefined;
  device: string | undefined;
  sha256: string | undefined;
  first: string | undefined;
  xattrs: readonly (readonly [string, string])[];
}

function made(place: Place, columns: Columns): Row {
  const number = (what: string, text: string, max: number, base = 10) => {
    const isNumber = base === 8 ? /^[0-7]{1,4}$/.test(text) : /^[0-9]{1,16}$/.test(text);
    const value = Number.parseInt(text, base);
    if (!isNumber || value > max) throw invalid(place, `its ${what} is "${text}"`);
    return value;
  };
  const pathOf = (text: string) => {
    if (!text.startsWith("/")) throw invalid(place, "a path does not start with a slash");
    return unescaped(text.slice(1), place);
  };
  const { size, device, sha256, first, target } = columns;
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256)) {
    throw invalid(place, "its sha256 is no 64 hexadecimal digits");
  }
  const [major = "", minor = ""] = device?.split(":") ?? [];
  return {
    path: pathOf(columns.path),
    type: columns.type,
    attributes: {
      mode: number("mode", columns.mode, 0o7777, 8),
      uid: number("owner", columns.uid, 0xffffffff),
      gid: number("group", columns.gid, 0xffffffff),
      mtime: number("time", columns.mtime, 0xffffffff),
      xattrs: columns.xattrs.map(([name, value]) => ({
        name: unescaped(name, place),
        value: Buffer.from(unescaped(value, place), "latin1"),
      })),
    },
    size: size === undefined ? undefined : number("size", size, Number.MAX_SAFE_INTEGER),
    target: target === undefined ? undefined : unescaped(target, place),
    device:
      device === undefined
        ? undefined
        : { major: number("device", major, 4095), minor: number("device", minor, 1048575) },
    sha256,
    first: first === undefined ? undefined : pathOf(first),
  };
}

/** What `escapeBytes` made. */
function unescaped(text: string, place: Place): string {
  if (/[^!-~]/.test(text))
    throw invalid(place, "a byte that is not printable ASCII is not escaped");
  return text.replace(/\\(x[0-9a-f]{2})?/g, (_, code?: string) => {
    if (code === undefined) throw invalid(place, "a backslash begins no \\xNN");
    return String.fromCharCode(Number.parseInt(code.slice(1), 16));
  });
}
