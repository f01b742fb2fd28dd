/** Modules of a kernel: where they are, and which have to be loaded before which. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import * as errors from "../errors.ts";
import { decoded } from "./decode.ts";
import type { KernelModule } from "./initramfs.ts";

/** The kernel takes `-` and `_` for the same in the name of a module. */
const normal = (name: string) => name.replaceAll("-", "_");

const FILE_NAME = /^(.+)[.]ko([.](?:xz|zst|gz))?$/;

/** A value of a module's section .modinfo: strings `KEY=VALUE`, each ended by a NUL. */
function modinfo(bytes: Buffer, key: string): string[] {
  const text = bytes.toString("latin1");
  const found = text.matchAll(new RegExp(`(?:^|\\0)${key}=([^\\0]*)(?=\\0)`, "g"));
  return [...found].map(([, value]) => value ?? "");
}

async function decompress(file: string, bytes: Buffer): Promise<Buffer> {
  switch (path.extname(file)) {
    case ".xz":
      return decoded("xz", bytes);
    case ".zst":
      return decoded("zstd", bytes);
    case ".gz":
      return gunzipSync(bytes);
    default:
      return bytes;
  }
}

/** include/linux/module_signature.h: what stands last in a module that is signed, behind the signature. */
const SIGNED = Buffer.from("~Module signature appended~\n");
const SIGNATURE_FIELDS = 12;

/**
 * The module without the signature of its distribution, which a kernel takes that does not insist. To check one
 * takes an emulated kernel longer than to load it, and says nothing here: whoever writes the initramfs
 * writes the kernel's command line too.
 */
function withoutSignature(bytes: Buffer): Buffer {
  const end = bytes.length - SIGNED.length;
  if (end < SIGNATURE_FIELDS || !bytes.subarray(end).equals(SIGNED)) return bytes;
  const size = bytes.readUInt32BE(end - 4);
  const start = end - SIGNATURE_FIELDS - size;
  return start > 0 ? bytes.subarray(0, start) : bytes;
}

/** Paths below the folder by modules.dep; undefined: there is none. */
async function listed(dir: string): Promise<string[] | undefined> {
  const text = await readFile(path.join(dir, "modules.dep"), "utf8").catch(() => undefined);
  return text?.split("\n").map((line) => line.slice(0, Math.max(0, line.indexOf(":"))));
}

/** The same by what is there. */
function present(dir: string): Promise<string[]> {
  return readdir(dir, { recursive: true }).catch((cause: unknown) => {
    if (errors.errnoCode(cause) === "ENOENT") return [];
    throw errors.vmModule(dir, `cannot be read: ${errors.systemReason(cause)}`, { cause });
  });
}

/** The modules that belong to a kernel: a folder such as /lib/modules/RELEASE. */
export class ModuleFolder {
  readonly #files: ReadonlyMap<string, string>;
  readonly #builtin: ReadonlySet<string>;
  readonly #release: string;

  private constructor(
    release: string,
    files: ReadonlyMap<string, string>,
    builtin: ReadonlySet<string>,
  ) {
    this.#release = release;
    this.#files = files;
    this.#builtin = builtin;
  }

  /**
   * A folder that is not there has no modules, which is right for a kernel without any. The list that depmod makes of a
   * thousand modules in hundreds of folders is read in a tenth of the time that these take.
   *
   * @param whole look at the folder itself, which may have more than that list
   * @throws E_VM_MODULE
   */
  static async open(release: string, dir: string, whole = false): Promise<ModuleFolder> {
    const found = (whole ? undefined : await listed(dir)) ?? (await present(dir));
    const files = new Map<string, string>();
    // Sorted, so that of two with one name it is always the same that counts.
    for (const file of found.sort()) {
      const name = FILE_NAME.exec(path.basename(file))?.[1];
      if (name !== undefined && !files.has(normal(name))) {
        files.set(normal(name), path.join(dir, file));
      }
    }
    const list = await readFile(path.join(dir, "modules.builtin"), "utf8").catch(() => "");
    const builtin = list.split("\n").flatMap((line) => {
      const name = FILE_NAME.exec(path.basename(line.trim()))?.[1];
      return name === undefined ? [] : [normal(name)];
    });
    return new ModuleFolder(release, files, new Set(builtin));
  }

  isBuiltIn(name: string): boolean {
    return this.#builtin.has(normal(name));
  }

  has(name: string): boolean {
    return this.#files.has(normal(name)) || this.isBuiltIn(name);
  }

  /**
   * Modules with all that they depend on, in an order in which each finds what it needs.
   *
   * @param keepSignatures for a kernel that loads no others
   * @throws E_VM_MODULE where one is missing, cannot be read or is for another kernel
   */
  async load(names: readonly string[], keepSignatures: boolean): Promise<KernelModule[]> {
    const loaded: KernelModule[] = [];
    const seen = new Set<string>();
    const add = async (wanted: string, by: string | undefined) => {
      const name = normal(wanted);
      if (seen.has(name) || this.#builtin.has(name)) return;
      seen.add(name);
      const file = this.#files.get(name);
      if (file === undefined) {
        throw errors.vmModule(name, `is not among the modules of kernel ${this.#release}`, {
          ...(by === undefined ? {} : { expected: `it, since ${by} depends on it` }),
        });
      }
      const bytes = await this.#read(file);
      for (const list of modinfo(bytes, "depends")) {
        for (const one of list.split(",").filter((text) => text !== "")) await add(one, name);
      }
      // What it can do without is taken where it is there: drivers that are only better with them.
      for (const soft of modinfo(bytes, "softdep")) {
        const before = /(?:^|\s)pre:((?:\s+(?!post:)\S+)*)/.exec(soft)?.[1] ?? "";
        for (const one of before.split(/\s+/).filter((text) => this.#files.has(normal(text)))) {
          await add(one, name);
        }
      }
      loaded.push({ name, bytes: keepSignatures ? bytes : withoutSignature(bytes) });
    };
    for (const name of names) await add(name, undefined);
    return loaded;
  }

  async #read(file: string): Promise<Buffer> {
    let bytes: Buffer;
    try {
      bytes = await decompress(file, await readFile(file));
    } catch (cause) {
      throw errors.vmModule(file, `cannot be read: ${errors.systemReason(cause)}`, { cause });
    }
    const [vermagic = ""] = modinfo(bytes, "vermagic");
    const [release] = vermagic.split(" ");
    if (release !== this.#release) {
      throw errors.vmModule(file, "is for another kernel", {
        expected: this.#release,
        actual: release || "a file without vermagic",
      });
    }
    return bytes;
  }
}
