/** AppDirs to build AppImages of, and what others read in the result. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { expect } from "vitest";
import { renderIcon } from "../../builder/appimage/icon.ts";
import { type ElfFile, readElf } from "../../builder/elf/read.ts";
import type { ErrorCode } from "../../builder/errors.ts";
import { locateImage } from "../../builder/image/locate.ts";
import { type Files, writeFiles } from "./case.ts";
import { bundle, type Outcome, type RunOptions } from "./process.ts";
import { temporaryDirectory } from "./temporary.ts";

export const desktopEntry = `[Desktop Entry]
Type=Application
Name=Sample
Exec=sample %F
Icon=sample
Categories=Utility;
`;

/** A drawing in two colours, twice as wide as high. */
export const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 32">
  <rect width="64" height="32" fill="#123456"/><circle cx="32" cy="16" r="12" fill="#fc0"/>
</svg>
`;

export const png = await renderIcon(Buffer.from(svg), "sample.svg", 128);

/** All that an AppDir must have. */
const sampleFiles: Files = {
  "Sample.AppDir/AppRun": '#!/bin/sh\necho "sample: $*"\n',
  "Sample.AppDir/sample.desktop": desktopEntry,
  "Sample.AppDir/sample.png": png,
  "Sample.AppDir/.DirIcon": png,
};

export const sampleDir = "Sample.AppDir";

/** A folder with Sample.AppDir in it, changed by `files`; null takes a file away. */
export function sample(files: Record<string, Files[string] | null> = {}): string {
  const dir = temporaryDirectory();
  writeFiles(dir, sampleFiles);
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(sampleDir, name);
    rmSync(path.join(dir, file), { force: true });
    if (content !== null) writeFiles(dir, { [file]: content });
  }
  return dir;
}

/** Builds `out.AppImage` of Sample.AppDir in `dir`. @returns its path */
export async function buildSample(
  dir: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<string> {
  const line = ["build", sampleDir, "-o", "out.AppImage", ...args];
  const outcome = await bundle(line, { cwd: dir, ...options });
  expect(outcome).toMatchObject({ status: 0 });
  return path.join(dir, "out.AppImage");
}

/** Builds and expects the failure; nothing may be left of it. @returns what it printed */
export async function refused(
  dir: string,
  code: ErrorCode,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<Outcome> {
  const line = ["build", sampleDir, "-o", "out.AppImage", ...args];
  const outcome = await bundle(line, { cwd: dir, ...options });
  expect(outcome.stderr).toContain(`[${code}]`);
  expect(outcome.status).not.toBe(0);
  expect(existsSync(path.join(dir, "out.AppImage"))).toBe(false);
  return outcome;
}

/** Headers of an AppImage, and where its image is. */
export async function headersOf(file: string): Promise<{ elf: ElfFile; offset: number }> {
  const handle = await open(file);
  try {
    const { offset } = await locateImage(handle, file);
    return { elf: await readElf(handle, file), offset };
  } finally {
    await handle.close();
  }
}

/** The image's files, unpacked by unsquashfs at the offset that we say. */
export async function unpacked(file: string): Promise<string> {
  const { offset } = await headersOf(file);
  const dir = path.join(temporaryDirectory(), "root");
  execFileSync("unsquashfs", ["-q", "-n", "-o", `${offset}`, "-d", dir, file], { stdio: "pipe" });
  return dir;
}

/** A home of gpg's in a new folder. */
export function gpgHome(): string {
  const home = path.join(temporaryDirectory(), "gnupg");
  mkdirSync(home);
  chmodSync(home, 0o700);
  return home;
}
