/** Which ways to mount an image work on this machine: asked of the runtime, which really tries. */
import { constants, createWriteStream } from "node:fs";
import { chmod, chown, copyFile, mkdir, open, writeFile } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { type Finding, isFinding } from "../doctor/finding.ts";
import type { Identity } from "../doctor/machine.ts";
import { hasElfMagic } from "../elf/read.ts";
import * as errors from "../errors.ts";
import { machines, squashfsFormat } from "../generated/spec.ts";
import { runCommand } from "../host/command.ts";
import { hostArchitecture, runtimePath } from "../host/paths.ts";
import { removeTemporary, workFolder } from "../host/temporary.ts";
import { fromBytes } from "../manifest/manifest.ts";
import { shortRule } from "../manifest/permissions.ts";
import { inspect } from "./inspect.ts";
import { pack } from "./pack.ts";

export type { Finding };

/** More than a runtime takes or prints on the slowest machine: what runs as another user, that one can hold up. */
const PATIENCE = { milliseconds: 60_000, bytes: 1 << 20 };

/** What the runtime prints; it exits with 125 when no strategy works, and has said so by then. */
async function ask(
  runtime: string,
  image: string,
  identity?: Identity,
  more: readonly string[] = [],
): Promise<{ stdout: string; stderr: string }> {
  const args = ["--doctor=json", ...more, `--static=image:${image}`];
  // A home of root's is none of the user's, and what else root's environment holds is not for others to read.
  const env = { PATH: process.env.PATH, HOME: "/nonexistent" };
  const other = identity && { identity, env, cwd: "/", patience: PATIENCE };
  const answer = await runCommand(runtime, args, {
    outlives: identity === undefined,
    ...other,
  }).catch((cause: unknown) => {
    throw errors.fileUnreadable(runtime, cause);
  });
  if (answer.overdue) throw errors.doctor(runtime, "another process of this user holds it up");
  return answer;
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
  return (await examine(file)).findings;
}

/** What works here. */
export interface Examination {
  /** Ways to mount an image. */
  findings: Finding[];
  /** What a sandbox is made of here, and of a bundle that has one what is enforced and what is not: for people. */
  sandbox: string[];
}

/** The same, and what there is for a sandbox. @throws as `doctor` */
export async function examine(file?: string): Promise<Examination> {
  const runtime = runtimePath(hostArchitecture() ?? machines[0].name);
  const answer =
    file === undefined
      ? await withSmallImage((image) => ask(runtime, image))
      : await ask(runtime, path.resolve(file), undefined, await sandboxOptions(file));
  const lines = answer.stderr.split("\n");
  const first = lines.findIndex((line) => line.startsWith("sandbox "));
  const sandbox = first < 0 ? [] : lines.slice(first).filter((line) => line !== "");
  return { findings: findingsOf(answer, file ?? runtime), sandbox };
}

/** The same for programs: what stands behind the words of each kind of line. */
export interface SandboxFacts {
  /** Whether there is one, and whether all of it is enforced here. */
  state: string;
  /** What one is made of here: the version of Landlock, the filter of system calls, namespaces. */
  here: string[];
  /** What the app may do, in words, each with what keeps it to that. */
  may: string[];
  /** What it has nothing of, with what keeps it out. */
  closed: string[];
  /** What is declared and not enforced here, with why. */
  open: string[];
}

/** @param lines of an examination: a label of eleven columns, or none where it is that of the line before */
export function sandboxFacts(lines: readonly string[]): SandboxFacts {
  const [state = "", ...rest] = lines;
  const facts: SandboxFacts = { state: state.slice(12), here: [], may: [], closed: [], open: [] };
  let group: keyof Omit<SandboxFacts, "state"> = "here";
  for (const line of rest) {
    const label = line.slice(0, 11).trim();
    if (label === "here" || label === "may" || label === "closed" || label === "open")
      group = label;
    facts[group].push(line.slice(12));
  }
  return facts;
}

/**
 * The rules that a bundle declares, for a runner. One with a comma in its path cannot be written like that; what
 * holds for other paths holds for it.
 */
async function sandboxOptions(file: string): Promise<string[]> {
  const { manifest } = await inspect(file).catch(() => ({ manifest: undefined }));
  if (manifest?.sandbox === undefined) return [];
  const rules = manifest.sandbox.map(fromBytes).filter((rule) => !rule.includes(","));
  return [`--sandbox=${rules.map(shortRule).join(",")}`];
}

/**
 * The same as another user, who need not be able to read this package or the image: copies are tried, and the
 * one of the image is for this user alone to read.
 *
 * @param user - undefined for the caller
 */
export async function doctorAs(user: Identity | undefined, file?: string): Promise<Finding[]> {
  if (user === undefined) return doctor(file);
  const runtime = runtimePath(hostArchitecture() ?? machines[0].name);
  const dir = workFolder();
  try {
    const [program, image] = [path.join(dir, "fuselage"), path.join(dir, "image.sfs")];
    await copyFile(runtime, program, constants.COPYFILE_EXCL);
    await chmod(program, 0o755);
    if (file === undefined) await withSmallImage((small) => copyArchive(small, image));
    else await copyArchive(file, image);
    await chown(image, user.uid, user.gid);
    await chmod(dir, 0o711);
    return findingsOf(await ask(program, image, user), file ?? runtime);
  } catch (cause) {
    if (cause instanceof errors.BundleError) throw cause;
    throw errors.fileUnreadable(file ?? runtime, cause);
  } finally {
    removeTemporary(dir);
  }
}

/**
 * Copies what begins as an archive does. Another user's word may be all that there is for the name, and what
 * root alone can read is nothing to show to that user.
 */
async function copyArchive(file: string, to: string): Promise<void> {
  const source = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await source.stat();
    if (!stats.isFile()) throw errors.doctor(file, "it is no file");
    const head = Buffer.alloc(4);
    await source.read(head, 0, head.length, 0);
    if (!hasElfMagic(head) && head.toString("latin1") !== squashfsFormat.magic) {
      throw errors.doctor(file, "neither squashfs nor ELF");
    }
    // No more than there was: whoever writes to it could go on for ever.
    const options = { autoClose: false, start: 0, end: stats.size - 1 };
    await pipeline(
      source.createReadStream(options),
      createWriteStream(to, { flags: "wx", mode: 0o400 }),
    );
  } finally {
    await source.close();
  }
}

/** What another user's process says is not to be believed: only what a runtime can say is taken. */
function findingsOf({ stdout, stderr }: { stdout: string; stderr: string }, file: string) {
  if (!stdout.startsWith("[")) throw errors.doctor(file, stderr.split("\n", 1)[0] ?? "");
  try {
    const findings: unknown = JSON.parse(stdout);
    if (Array.isArray(findings) && findings.every(isFinding)) return findings;
  } catch {
    // Told below.
  }
  throw errors.doctor(file, "the answer is none of the runtime's");
}
