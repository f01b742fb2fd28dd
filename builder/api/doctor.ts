/** Which ways to mount an image work on this machine: asked of the runtime, which really tries. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { machines, type Strategy } from "../generated/spec.ts";
import { runCommand } from "../host/command.ts";
import { hostArchitecture, runtimePath } from "../host/paths.ts";
import { removeTemporary, workFolder } from "../host/temporary.ts";
import { pack } from "./pack.ts";

/** What became of one way to mount. */
export interface Finding {
  /** Name of the way. */
  strategy: Strategy;
  /** Whether the files of the image could be read. */
  works: boolean;
  /** Milliseconds to the mounted image, or to the refusal. */
  milliseconds: number;
  /** Why it is refused, in the runtime's words. */
  reason?: string;
  /** What the user, or whoever runs the machine, can do about it. */
  advice?: string;
}

/** What the runtime prints; it exits with 125 when no strategy works, and has said so by then. */
async function ask(runtime: string, image: string): Promise<{ stdout: string; stderr: string }> {
  const args = ["--doctor=json", `--static=image:${image}`];
  try {
    return await runCommand(runtime, args, { outlives: true });
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
  const { stdout, stderr } =
    file === undefined
      ? await withSmallImage((image) => ask(runtime, image))
      : await ask(runtime, path.resolve(file));
  if (!stdout.startsWith("[")) throw errors.doctor(file ?? runtime, stderr.split("\n", 1)[0] ?? "");
  return JSON.parse(stdout) as Finding[];
}
