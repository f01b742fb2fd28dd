/**
 * What each reader of squashfs images shows of some of them at once: starting a reader, mounting and asking for
 * attributes cost more than a small image.
 */
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import {
  type ImageEntry,
  type ImageReader,
  openImage,
} from "../../builder/squashfs/image-reader.ts";
import { freshName, type Snapshot, snapshot } from "./image.ts";
import { fuselage } from "./process.ts";
import { deviceNumber, TYPES } from "./random-tree.ts";

/** By path; the first component is the name of the image. */
export type Shown = Record<string, Snapshot>;

export interface Reader {
  name: string;
  /** What it is known to show otherwise. */
  unlike: readonly (keyof Snapshot)[];
  /** @param dir folder with an image `NAME.sfs` for each name; nothing else of it is left changed */
  read(dir: string, names: readonly string[]): Promise<Shown>;
}

const run = promisify(execFile);

/** Runs a job for each, on all processors. */
async function forEach<T>(all: readonly T[], job: (one: T) => Promise<void>): Promise<void> {
  const waiting = [...all];
  const worker = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await job(one);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

/** A folder of these as it looks; with all the attributes when they are asked for. */
function shownIn(dir: string, withXattrs = true): Shown {
  const { "": _, ...shown } = withXattrs ? snapshot(dir) : snapshot(dir, new Map());
  return shown;
}

/** Mounts images side by side by a shell's line, where $0 is the image and $1 its place. */
function mounting(
  name: string,
  mount: (image: string) => readonly string[],
  unlike: Reader["unlike"] = [],
): Reader {
  return {
    name,
    unlike,
    async read(dir, names) {
      const mounted = path.join(dir, freshName());
      mkdirSync(mounted);
      try {
        await forEach(names, async (one) => {
          const at = path.join(mounted, one);
          mkdirSync(at);
          const [program = "", ...args] = mount(path.join(dir, `${one}.sfs`));
          await run(program, [...args, at]);
        });
        return shownIn(mounted, !unlike.includes("xattrs"));
      } finally {
        const places = readFileSync("/proc/self/mountinfo", "utf8")
          .split("\n")
          .map((line) => line.split(" ")[4] ?? "")
          .filter((place) => path.dirname(place) === mounted);
        if (places.length > 0) execFileSync("umount", places);
        rmSync(mounted, { recursive: true });
      }
    },
  };
}

const kernel = mounting("kernel", (image) => ["mount", "-t", "squashfs", "-o", "loop,ro", image]);

const server = mounting("our server", (image) => [fuselage, "--mount-type=fuse", "--mount", image]);

// It numbers the names of one file apart, and takes user.a and trusted.a for one attribute (0.1.105).
const squashfuse = mounting("squashfuse", (image) => ["squashfuse", image], ["links", "xattrs"]);

function unsquashfs(program: string): Reader {
  // 4.5 ends with status 1 when it has said its version.
  const { stdout } = spawnSync(program, ["-version"], { encoding: "utf8" });
  const [, version] = /version (\S+)/.exec(stdout) ?? [];
  return {
    name: `unsquashfs ${version}`,
    unlike: [],
    async read(dir, names) {
      const extracted = path.join(dir, freshName());
      mkdirSync(extracted);
      await forEach(names, async (one) => {
        const target = ["-d", path.join(extracted, one), path.join(dir, `${one}.sfs`)];
        const { stderr } = await run(program, ["-no-progress", "-processors", "1", ...target]);
        if (stderr !== "") throw new Error(`${program} ${one}: ${stderr}`);
      });
      const shown = shownIn(extracted);
      rmSync(extracted, { recursive: true });
      return shown;
    },
  };
}

const library: Reader = {
  name: "our library",
  unlike: [],
  async read(dir, names) {
    const shown: Shown = {};
    for (const name of names) {
      const image = path.join(dir, `${name}.sfs`);
      const fd = openSync(image, "r");
      const reader = openImage(fd, 0, image);
      try {
        await list(reader, name, shown);
      } finally {
        reader.close();
        closeSync(fd);
      }
    }
    return shown;
  },
};

async function list(reader: ImageReader, name: string, shown: Shown): Promise<void> {
  const first = new Map<number, Snapshot>();
  for (const entry of await reader.list()) {
    const at = entry.path === "" ? name : `${name}/${entry.path}`;
    const known = first.get(entry.inode);
    const { major = 0, minor = 0 } = entry.device ?? {};
    shown[at] = {
      type: TYPES[entry.kind],
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      mtime: entry.mtime,
      size: entry.size,
      rdev: deviceNumber({ major, minor }),
      content: known?.content ?? (await contentOf(reader, entry)),
      links: known?.links ?? at,
      xattrs: Object.fromEntries(
        entry.xattrs.map(({ name, value }) => [name, `0x${Buffer.from(value).toString("hex")}`]),
      ),
    };
    if (known === undefined) first.set(entry.inode, shown[at]);
  }
}

async function contentOf(reader: ImageReader, entry: ImageEntry): Promise<string> {
  if (entry.kind !== "file") return entry.target ?? "";
  const bytes = Buffer.alloc(entry.size);
  const size = await reader.read(entry, 0, bytes);
  return createHash("sha256").update(bytes.subarray(0, size)).digest("hex");
}

/** @param others more programs that are an unsquashfs, beside the system's */
export function imageReaders(others: readonly string[]): Reader[] {
  return [kernel, server, ...["unsquashfs", ...others].map(unsquashfs), squashfuse, library];
}
