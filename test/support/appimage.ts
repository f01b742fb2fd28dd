/**
 * AppImages made of a runtime and an image, without the builder: as appimagetool does it (no
 * manifest, the image right behind the ELF file) and with a manifest of ours.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { expect } from "vitest";
import { type ElfFile, readElf } from "../../builder/elf/read.ts";
import type { Manifest } from "../../builder/manifest/manifest.ts";
import { bundleOf, mksquashfs, runtimeFile } from "./bundle-of.ts";
import { type Files, writeFiles } from "./case.ts";
import { leftovers } from "./leftovers.ts";
import { root } from "./process.ts";
import { temporaryDirectory } from "./temporary.ts";

/** Bytes 8 to 10 of an AppImage of type 2. */
export const magic = Buffer.from([0x41, 0x49, 0x02]);
const MAGIC_POSITION = 8;

/** An AppRun that runs its arguments, and by itself prints what a start has set. */
export const appRun = `#!/bin/sh
[ $# -gt 0 ] && exec "$@"
env | grep -E '^(APPIMAGE|APPDIR|OWD|ARGV0|HOME|XDG_CONFIG_HOME|TARGET_APPIMAGE|FUSELAGE_)' | sort
`;

export const smallAppDir: Files = {
  AppRun: appRun,
  "tool.desktop": "[Desktop Entry]\nType=Application\nName=Tool\nExec=tool\nIcon=tool\n",
  "usr/bin/tool": "#!/bin/sh\necho tool\n",
  "usr/share/with space/file": "data\n",
};

export interface AppImageShape {
  compression?: "gzip" | "zstd";
  runtime?: string;
  /** A manifest of ours, and with it an aligned image; without, the file is as others make it. */
  manifest?: Partial<Manifest>;
  /** Contents of reserved sections by name. */
  sections?: Record<string, string>;
  /** Name of the file. */
  name?: string;
}

/** Headers and sections of an ELF file. */
export async function elfOf(file: string): Promise<ElfFile> {
  const handle = await open(file);
  try {
    return await readElf(handle, file);
  } finally {
    await handle.close();
  }
}

async function fillSections(file: string, sections: Record<string, string>): Promise<void> {
  const elf = await elfOf(file);
  const handle = await open(file, "r+");
  for (const [name, text] of Object.entries(sections)) {
    const section = elf.sections.find((candidate) => candidate.name === name);
    if (section === undefined) throw new Error(`${file} has no section ${name}`);
    await handle.write(text, section.offset);
  }
  await handle.close();
}

/** Writes the AppDir that an AppImage is made of. @returns its folder */
export function appDir(files: Files): string {
  const dir = path.join(temporaryDirectory(), "AppDir");
  mkdirSync(dir);
  writeFiles(dir, files);
  return dir;
}

/** An AppImage of these files, or of a folder. @returns its path, in a folder of its own that everyone may read */
export async function appImage(files: Files | string = smallAppDir, shape: AppImageShape = {}) {
  const { compression = "zstd", runtime = runtimeFile, manifest, sections = {} } = shape;
  const dir = typeof files === "string" ? files : appDir(files);
  const image = await mksquashfs(dir, "-comp", compression, "-all-root");
  const file = path.join(temporaryDirectory(), shape.name ?? "Tool-x86_64.AppImage");
  if (manifest) {
    const name = { name: "Tool", entry: "AppRun", ...manifest };
    writeFileSync(file, readFileSync(await bundleOf(image, name, runtime)));
  } else writeFileSync(file, Buffer.concat([readFileSync(runtime), readFileSync(image)]));
  const handle = await open(file, "r+");
  await handle.write(magic, 0, magic.length, MAGIC_POSITION);
  await handle.close();
  await fillSections(file, sections);
  chmodSync(file, 0o755);
  return file;
}

/** Waits until nothing of a start is left in `home`. */
export async function expectNoTraces(home: string): Promise<void> {
  const left = () => leftovers({ homes: [home] }).procdirs;
  await expect.poll(left).toEqual([]);
}

/** Lines of the form K=V as an object. */
export function variables(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line.includes("="));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

/** Compiles a C program of test/. @returns its path, where everyone may run it */
export function compileHelper(source: string): string {
  const output = path.join(temporaryDirectory(), path.basename(source, ".c"));
  execFileSync("cc", ["-Wall", "-Werror", "-o", output, path.join(root, "test", source)]);
  return output;
}
