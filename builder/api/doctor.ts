/** Which ways to mount an image work on this machine: asked of the runtime, which really tries. */
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { Finding } from "../doctor/finding.ts";
import type { Identity } from "../doctor/machine.ts";
import * as errors from "../errors.ts";
import { machines } from "../generated/spec.ts";
import { runCommand } from "../host/command.ts";
import { hostArchitecture, runtimePath } from "../host/paths.ts";
import { removeTemporary, workFolder } from "../host/temporary.ts";
import { pack } from "./pack.ts";

export type { Finding };

/** What the runtime prints; it exits with 125 when no strategy works, and has said so by then. */
async function ask(
  runtime: string,
  image: string,
  identity?: Identity,
): Promise<{ stdout: string; stderr: string }> {
  const args = ["--doctor=json", `--static=image:${image}`];
  try {
    // A home of root's is none of the user's.
    const other = identity && { identity, env: { ...process.env, HOME: "/nonexistent" }, cwd: "/" };
    return await runCommand(runtime, args, { outlives: true, ...other });
  } catch (cause) {
    throw errors.fileUnreadable(runtime, cause);
  }
}

async function withSmallImage<Result>(use: (image: string) => Promise<Result>): Promise<Result> {
  const dir = workFolder();
  try {
    const input = path.join(dir, "input");
    const image = path.join(dir, "image.sfs");
    await mkdir(input);
    await writeFile(path.join(input, "file"), "");
    await pack({ input, output: image });
    return await use(image);
  } finally {
    removeTemporary(dir);
  }
}

/**
 * Tries every strategy with an image, or with a small one.
 *
 * @param file - bundle, other ELF with a squashfs image, or squashfs image
 * @throws E_DOCTOR with the runtime's words, when it cannot even try
 *
 * @example
 * ```js
 * import { doctor } from "fuselage-bundle";
 *
 * const findings = await doctor();
 * for (const { strategy, works, advice } of findings) {
 *   if (!works) console.error(`${strategy}: ${advice}`);
 * }
 * console.log(findings.map(({ strategy }) => strategy).join(", ")); // loop, fuse, fusermount, extract
 * ```
 */
export async function doctor(file?: string): Promise<Finding[]> {
  const runtime = runtimePath(hostArchitecture() ?? machines[0].name);
  const answer =
    file === undefined
      ? await withSmallImage((image) => ask(runtime, image))
      : await ask(runtime, path.resolve(file));
  return findingsOf(answer, file ?? runtime);
}

/**
 * The same as another user, who need not be able to read this package or the image: copies are tried.
 *
 * @param user - undefined for the caller
 */
export async function doctorAs(user: Identity | undefined, file?: string): Promise<Finding[]> {
  if (user === undefined) return doctor(file);
  const runtime = runtimePath(hostArchitecture() ?? machines[0].name);
  const dir = await mkdtemp(path.join(os.tmpdir(), "fuselage-doctor-"));
  try {
    await chmod(dir, 0o755);
    const [program, image] = [path.join(dir, "fuselage"), path.join(dir, "image.sfs")];
    await copyFile(runtime, program);
    await chmod(program, 0o755);
    if (file === undefined) await withSmallImage((small) => copyFile(small, image));
    else await copyFile(file, image);
    await chmod(image, 0o644);
    return findingsOf(await ask(program, image, user), file ?? runtime);
  } catch (cause) {
    if (cause instanceof errors.BundleError) throw cause;
    throw errors.fileUnreadable(file ?? runtime, cause);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function findingsOf({ stdout, stderr }: { stdout: string; stderr: string }, file: string) {
  if (!stdout.startsWith("[")) throw errors.doctor(file, stderr.split("\n", 1)[0] ?? "");
  return JSON.parse(stdout) as Finding[];
}
