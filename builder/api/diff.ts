/** What differs between two trees, and between what two bundles say of themselves. */
import { stat } from "node:fs/promises";
import { checkOptions } from "../config/validate.ts";
import { fromBytes, type Manifest } from "../manifest/manifest.ts";
import { permissionChanges } from "../manifest/permission-changes.ts";
import { permissionWords } from "../manifest/permission-words.ts";
import { startSize } from "../manifest/start-list.ts";
import { type DumpOptions, type DumpRecord, dump } from "./dump.ts";
import { withImage } from "./inspect.ts";

/** What is compared, and of what of it. */
export interface DiffOptions extends Omit<DumpOptions, "input"> {
  /** Bundle, AppImage, other ELF with a squashfs image, squashfs image, or a directory. */
  before: string;
  /** The same. */
  after: string;
}

/** A name that is not the same in both. */
export interface Difference {
  /** Starts with a slash; escaped as in a `DumpRecord`. */
  path: string;
  /** "added": it is in `after` alone; "removed": in `before` alone. */
  change: "added" | "removed" | "changed";
  /** Undefined when it was added. */
  before: DumpRecord | undefined;
  /** Undefined when it was removed. */
  after: DumpRecord | undefined;
  /** What of it changed, in the order of a record. */
  fields: readonly (keyof DumpRecord)[];
}

/** Something that a bundle or its image says of itself, and that is not the same in both. */
export interface FactDifference {
  /** Of a `Manifest`; or `compression`, `blockSize` and `imageBytes`. */
  key: string;
  /** As it stands there, byte strings as texts; undefined where it does not. */
  before: unknown;
  /** The same. */
  after: unknown;
}

/** Permissions in plain words; "everything": the bundle has no sandbox. */
export interface PermissionDifferences {
  /** What `after` allows and `before` does not. */
  gained: readonly string[];
  /** What `before` allows and `after` does not. */
  lost: readonly string[];
}

/** Two files or folders, compared. */
export interface DiffResult {
  /** Whether there is no difference. */
  same: boolean;
  /** Of the trees, in byte order of the paths. */
  differences: readonly Difference[];
  /** Of the manifests and images, where both are files. */
  facts: readonly FactDifference[];
  /** What the app may do in its sandbox, where both are bundles. */
  permissions: PermissionDifferences;
}

/**
 * Compares two trees as `dump` lists them, and where both are files what they say of themselves.
 *
 * @throws as `dump`
 *
 * @example
 * ```js
 * import { build, diff } from "fuselage-bundle";
 *
 * await build({ input: "hello", output: "one.run" });
 * await build({ input: "hello", output: "two.run", exclude: ["share"], args: ["you"] });
 * const { same, differences, facts } = await diff({ before: "one.run", after: "two.run" });
 * console.log(same, facts.map(({ key }) => key).includes("args")); // false true
 * console.log(differences.map(({ change, path }) => `${change} ${path}`).at(-1));
 * // removed /share/greetings.txt
 * ```
 */
export async function diff(options: DiffOptions): Promise<DiffResult> {
  checkOptions("diff", options);
  const { before, after, ...columns } = options;
  const [old, now] = [await recordsOf(before, columns), await recordsOf(after, columns)];
  const differences = compare(old, now);
  const [oldFacts, nowFacts] = [await factsOf(before), await factsOf(after)];
  const facts = compareFacts(oldFacts, nowFacts);
  const permissions = comparePermissions(oldFacts, nowFacts);
  return { same: differences.length + facts.length === 0, differences, facts, permissions };
}

async function recordsOf(
  input: string,
  columns: Omit<DumpOptions, "input">,
): Promise<Map<string, DumpRecord>> {
  const records = new Map<string, DumpRecord>();
  await dump({ ...columns, input }, (record) => void records.set(record.path, record));
  return records;
}

function compare(old: Map<string, DumpRecord>, now: Map<string, DumpRecord>): Difference[] {
  const paths = [...new Set([...old.keys(), ...now.keys()])].sort((a, b) => (a < b ? -1 : 1));
  return paths.flatMap((path): Difference[] => {
    const [before, after] = [old.get(path), now.get(path)];
    if (before === undefined) return [{ path, change: "added", before, after, fields: [] }];
    if (after === undefined) return [{ path, change: "removed", before, after, fields: [] }];
    const fields = changedFields(before, after);
    return fields.length === 0 ? [] : [{ path, change: "changed", before, after, fields }];
  });
}

function changedFields(before: DumpRecord, after: DumpRecord): (keyof DumpRecord)[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)] as (keyof DumpRecord)[]);
  return [...keys].filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
}

type Facts = Record<string, unknown>;

/** Undefined for a folder, which says nothing. */
async function factsOf(input: string): Promise<Facts | undefined> {
  if ((await stat(input)).isDirectory()) return undefined;
  return withImage(input, ({ manifest, arch, appImage }, { facts }) => ({
    ...recorded(manifest),
    arch,
    appImage: appImage && { ...appImage },
    compression: facts.compression,
    blockSize: facts.blockSize,
    imageBytes: facts.bytes,
  }));
}

/** As texts, without what only says how large the image is; of a start list how much it names. */
function recorded(manifest: Manifest | undefined): Facts {
  if (manifest === undefined) return {};
  const { imageSize, start, ...others } = manifest;
  const text = JSON.stringify(others, (_, one) => (typeof one === "string" ? fromBytes(one) : one));
  return { ...(JSON.parse(text) as Facts), start: start && startSize(start) };
}

/** Of plain images there is nothing to say: whoever starts them decides. */
function comparePermissions(old: Facts | undefined, now: Facts | undefined): PermissionDifferences {
  const isBundle = (facts: Facts | undefined) =>
    facts !== undefined && "imageBytes" in facts && "name" in facts;
  if (!isBundle(old) || !isBundle(now)) return { gained: [], lost: [] };
  const rules = (facts: Facts | undefined) => facts?.sandbox as readonly string[] | undefined;
  const { gained, lost } = permissionChanges(rules(old), rules(now));
  return { gained: gained.map(permissionWords), lost: lost.map(permissionWords) };
}

function compareFacts(old: Facts | undefined, now: Facts | undefined): FactDifference[] {
  if (old === undefined || now === undefined) return [];
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((key) => JSON.stringify(old[key]) !== JSON.stringify(now[key]))
    .map((key) => ({ key, before: old[key], after: now[key] }));
}
