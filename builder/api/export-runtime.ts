/** Bundle → what a container runtime starts. */
import { mkdirSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import path from "node:path";
import { checkOptions } from "../config/validate.ts";
import type { DumpEntry } from "../dump/dump-entry.ts";
import { imageEntries } from "../dump/dump-image.ts";
import * as errors from "../errors.ts";
import { placementOf, rootEntries } from "../export/root-files.ts";
import { type RuntimeHook, runtimeConfig } from "../export/runtime-config.ts";
import { startConfig } from "../export/start-config.ts";
import { requireStartable, startedBy } from "../export/startable.ts";
import { userIn } from "../export/users.ts";
import { machines } from "../generated/spec.ts";
import { hostArchitecture, runtimePath } from "../host/paths.ts";
import { fromBytes } from "../manifest/manifest.ts";
import { publishDirectory } from "../output/output-directory.ts";
import { byteString, bytesOf } from "../tree/path.ts";
import { withImage } from "./inspect.ts";

/** What a runtime bundle is made of. */
export interface RuntimeBundleOptions {
  /** Bundle or squashfs image. */
  input: string;
  /** A new or empty folder. */
  runtimeBundle: string;
  /** A hook mounts the image, for the container's namespace alone. Not where the image is a root. */
  hook?: boolean | undefined;
  /** For whoever runs this, without root's rights: one user inside is the caller outside. */
  rootless?: boolean | undefined;
}

/** A folder with config.json, for crun, runc and the like. */
export interface RuntimeBundle {
  /** Absolute path of it. */
  directory: string;
  /** Where the image of the bundle must be mounted while the container runs; undefined: a hook does it. */
  mountPoint: string | undefined;
}

/** Folder of fixed paths of the runner. */
const FIXED = "/run/fuselage";

/** Mount points that a runtime needs in a root that it cannot write to. */
const NEEDED = ["dev", "proc", "sys", "tmp", "run"];

/**
 * Writes config.json and a root file system to mount on, of the OCI runtime specification: a runtime
 * starts the bundle while its image is mounted at `mountPoint`.
 *
 * @throws E_OPTION_*, E_EXPORT_*, E_EXTRACT_EXISTS, and what `inspect` throws
 *
 * @example
 * ```js
 * import { readFileSync } from "node:fs";
 * import { exportRuntimeBundle, writeImage } from "fuselage-bundle";
 *
 * const folders = ["dev", "proc", "run", "sys", "tmp"].map((name) => ({ path: `${name}/` }));
 * await writeImage(folders, { output: "root.sfs" });
 * const { mountPoint } = await exportRuntimeBundle({ input: "root.sfs", runtimeBundle: "container" });
 * const { root } = JSON.parse(readFileSync("container/config.json", "utf8"));
 * console.log(mountPoint, root.readonly); // /run/fuselage/root true
 * ```
 */
export async function exportRuntimeBundle(options: RuntimeBundleOptions): Promise<RuntimeBundle> {
  checkOptions("export", options);
  const { input, runtimeBundle, hook = false, rootless = false } = options;
  return withImage(input, async ({ manifest }, image) => {
    const plain = path.basename(input).replace(/\.(run|sfs|squashfs|AppImage)$/, "");
    const name = manifest === undefined ? byteString(plain) : manifest.name;
    const placement = placementOf(manifest, name, undefined);
    const config = startConfig(manifest, placement, {}, []);
    const own = await imageEntries(image);
    const isRoot = placement.prefix === "";
    const entries = isRoot ? own : rootEntries(own, placement, { hasBase: false, mtime: 0 });
    if (isRoot && hook) {
      const what = "is a root, which no hook can mount: it comes behind the mounts of the runtime";
      throw errors.exportInput(input, what);
    }
    if (isRoot) requireMountPoints(input, own);
    const started = startedBy(config);
    if (started !== undefined) await requireStartable(entries, started);
    const user = await userIn(entries, config.User);
    const called = hostName(fromBytes(name));
    const mountPoint = placement.prefix.startsWith(`${FIXED.slice(1)}/`)
      ? `/${fromBytes(placement.prefix)}`
      : `${FIXED}/${called}`;
    const destination = `/${fromBytes(placement.prefix)}`;
    const target = path.resolve(runtimeBundle, `rootfs${destination}`);
    const bound = !isRoot && !hook;
    const made = runtimeConfig({
      name: called,
      config,
      user,
      root: isRoot ? mountPoint : "rootfs",
      files: bound ? { source: mountPoint, destination } : undefined,
      hook: hook ? hookOf(path.resolve(input), target, rootless) : undefined,
      rootless: rootless
        ? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
        : undefined,
    });
    const { dir } = await publishDirectory(runtimeBundle, async (folder) => {
      await chmod(folder, 0o777 & ~process.umask());
      await writeFile(`${folder}/config.json`, `${JSON.stringify(made, null, 2)}\n`);
      mkdirSync(`${folder}/rootfs`);
      // An app's files are in the image, which is mounted: here is what stands around them.
      if (!isRoot)
        await writeAround(
          `${folder}/rootfs`,
          rootEntries([], placement, { hasBase: false, mtime: 0 }),
          placement.prefix,
        );
    });
    return { directory: dir, mountPoint: hook ? undefined : mountPoint };
  });
}

/** Of the container, and one component of the path that the image is mounted at: Linux takes 64 bytes. */
function hostName(name: string): string {
  const plain = name.replace(/[^\w.-]+/g, "-").replace(/^[.-]+/, "");
  return plain.slice(0, 64) || "app";
}

/**
 * Root's runner makes a mount where the runtime is, and moves it into the container that is being made: that is
 * let open nothing, and no process of it serves its files. Without root's rights nobody may mount there, nor look
 * into the container from there: the runner mounts in it.
 */
function hookOf(file: string, target: string, rootless: boolean): RuntimeHook {
  const runner = runtimePath(hostArchitecture() ?? machines[0].name);
  const args = (how: string) => ["fuselage", `--mount=${file}`, how, "--", target];
  return rootless
    ? { stage: "createContainer", path: runner, args: args("--mount-type=fuse") }
    : { stage: "createRuntime", path: runner, args: args("--container") };
}

/** @throws E_EXPORT_INPUT */
function requireMountPoints(input: string, entries: readonly DumpEntry[]): void {
  const folders = new Set(entries.filter((one) => one.kind === "directory").map((one) => one.path));
  const missing = NEEDED.filter((name) => !folders.has(name)).map((name) => `/${name}`);
  if (missing.length === 0) return;
  const what = `cannot be a root: a runtime mounts on ${missing.join(", ")}, which it has not`;
  throw errors.exportInput(input, what);
}

async function writeAround(folder: string, entries: readonly DumpEntry[], prefix: string) {
  for (const { path: at, kind, mode, file } of entries) {
    const to = Buffer.concat([Buffer.from(`${folder}/`), bytesOf(at)]);
    if (kind === "directory") mkdirSync(to, { recursive: true });
    else if (file !== undefined) for await (const text of file.read()) await writeFile(to, text);
    await chmod(to, mode);
  }
  mkdirSync(Buffer.concat([Buffer.from(`${folder}/`), bytesOf(prefix)]), { recursive: true });
}
