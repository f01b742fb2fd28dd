/** What makes a bundle an AppImage, or a signed one: bytes in front of its image. */
import type { FileHandle } from "node:fs/promises";
import path from "node:path";
import type { ResolvedBuildOptions } from "../config/build-options.ts";
import type { RuntimeElf } from "../elf/put-manifest.ts";
import { reserveSections } from "../elf/reserve-sections.ts";
import { appimageFormat } from "../generated/spec.ts";
import type { Finish } from "../output/write-bundle.ts";
import { paddedText, requireSection, UPDATE_INFO } from "./sections.ts";
import { signFile } from "./sign.ts";
import { checkUpdateInfo, GUESS, guessUpdateInfo } from "./update-info.ts";
import { zsyncOf } from "./zsync.ts";

const MAGIC = Buffer.from([...Buffer.from(appimageFormat.magic), appimageFormat.type]);

export interface Finished {
  updateInfo: string | undefined;
  /** Fingerprint of the key that signed. */
  signedBy: string | undefined;
  /** The control file for zsync, when there is update information. */
  zsync: Control | undefined;
}

/** A control file, and the inode that it describes. */
export interface Control {
  bytes: Buffer;
  inode: string;
}

/** The runtime of a file with these options: AppImages and signed files have sections that others need not. */
export function withRoom(runtime: RuntimeElf, options: ResolvedBuildOptions): RuntimeElf {
  const wanted = options.format === "appimage" || isSigned(options);
  return wanted ? reserveSections(runtime, appimageFormat.reserved) : runtime;
}

const isSigned = ({ sign, signKey }: ResolvedBuildOptions) =>
  sign === true || signKey !== undefined;

/**
 * The last steps of a build, in their order: mark and update information, then the signature over
 * them, then the checksums of the signed file.
 *
 * @param output absolute path of the file
 * @throws E_UPDATE_INFO
 */
export function finisher(
  runtime: RuntimeElf,
  options: ResolvedBuildOptions,
  output: string,
): { finish: Finish; finished: Finished } {
  const name = path.basename(output);
  const isAppImage = options.format === "appimage";
  const updateInfo = updateInfoOf(runtime, options, name);
  const finished: Finished = { updateInfo, signedBy: undefined, zsync: undefined };
  const finish: Finish = {
    front(bytes) {
      if (!isAppImage) return;
      MAGIC.copy(bytes, appimageFormat.magicOffset);
      const section = requireSection(runtime.elf, UPDATE_INFO, runtime.file);
      if (updateInfo !== undefined) paddedText(updateInfo, section).copy(bytes, section.offset);
    },
    async complete(handle: FileHandle) {
      if (isSigned(options)) {
        finished.signedBy = await signFile(handle, runtime.elf, runtime.file, options.signKey);
      }
      if (updateInfo !== undefined) finished.zsync = await controlOf(handle, output);
    },
  };
  return { finish, finished };
}

/** The control file of a file that is open. @param output its path */
export async function controlOf(handle: FileHandle, output: string): Promise<Control> {
  const name = path.basename(output);
  const { dev, ino } = await handle.stat({ bigint: true });
  return { bytes: await zsyncOf(handle, { name, url: url(name) }), inode: `${dev}:${ino}` };
}

function updateInfoOf(
  runtime: RuntimeElf,
  { updateInfo, name, arch }: ResolvedBuildOptions,
  file: string,
): string | undefined {
  if (updateInfo === undefined) return undefined;
  const text = updateInfo === GUESS ? guessUpdateInfo({ file, app: name, arch }) : updateInfo;
  return checkUpdateInfo(text, requireSection(runtime.elf, UPDATE_INFO, runtime.file).size);
}

/** The file stands beside its control file. */
function url(name: string): string {
  return encodeURIComponent(name);
}
