/** `bundle inspect FILE [--list]` */
import { contentDigest } from "../../api/dump.ts";
import { type Inspection, withImage } from "../../api/inspect.ts";
import type { ImageEntry, ImageReader } from "../../squashfs/image-reader.ts";
import { displayPath } from "../../tree/path.ts";
import { listingLine, listingObject } from "../listing.ts";
import type { Arguments } from "../parse.ts";
import { formatBytes, print, printable, printJson } from "../print.ts";
import { manifestJson, manifestRows } from "../show.ts";

const kinds: Record<Inspection["kind"], string> = {
  bundle: "bundle",
  appimage: "AppImage",
  elf: "ELF with a squashfs image",
  image: "squashfs image",
};

export async function inspectCommand(args: Arguments): Promise<void> {
  const file = args.positionals[0] ?? "";
  await withImage(file, async (inspection, image) => {
    const isAppImage = inspection.appImage !== undefined;
    const all = args.flag("list") || isAppImage ? await image.list() : [];
    const entries = args.flag("list") ? all : undefined;
    const desktopFiles = isAppImage ? desktopFilesOf(all) : [];
    const digest = args.flag("digest") ? await contentDigest({ input: file }) : undefined;
    const found = { inspection, image, entries, desktopFiles, digest };
    if (args.flag("json")) printJson(asJson(file, found));
    else print(asText(file, found));
  });
}

/** Names of the desktop entries in the root: an AppImage has one. */
function desktopFilesOf(entries: readonly ImageEntry[]): string[] {
  return entries
    .filter(({ path }) => /^[^/]+\.desktop$/s.test(path))
    .map(({ path }) => displayPath(path));
}

/** What is shown of a file. */
interface Found {
  inspection: Inspection;
  image: ImageReader;
  entries: readonly ImageEntry[] | undefined;
  desktopFiles: readonly string[];
  /** Of the contents, where it was asked for. */
  digest: string | undefined;
}

function asJson(file: string, { inspection, image, entries, desktopFiles, digest }: Found) {
  const { kind, size, arch, manifest, appImage, signed, imageOffset } = inspection;
  return {
    file,
    kind,
    size,
    ...(arch !== undefined && { arch }),
    ...(manifest && { manifest: manifestJson(manifest) }),
    ...(appImage && { appImage: { ...appImage, desktopFiles } }),
    ...(kind !== "image" && { signed }),
    image: { offset: imageOffset, ...image.facts },
    ...(digest !== undefined && { digest }),
    ...(entries && { entries: entries.map(listingObject) }),
  };
}

function asText(file: string, { inspection, image, entries, desktopFiles, digest }: Found): string {
  const { kind, size, arch, manifest, appImage, signed, imageOffset } = inspection;
  const { facts } = image;
  const rows: [string, string][] = [
    ["file", `${printable(file)}, ${formatBytes(size)}`],
    ["kind", kinds[kind] + (arch === undefined ? "" : ` for ${arch}`)],
    ...(manifest ? manifestRows(manifest) : []),
    ["AppImage", appImage === undefined ? "" : `type ${appImage.type}`],
    ["desktop", desktopFiles.map(printable).join(", ")],
    ["updates", printable(appImage?.updateInfo ?? "")],
    ["signature", signed ? "there is one; `bundle verify` checks it" : ""],
    ["image", `${formatBytes(facts.bytes)} at byte ${imageOffset}`],
    ["codec", `${facts.compression}, blocks of ${formatBytes(facts.blockSize)}`],
    ["inodes", `${facts.inodes}`],
    ["digest", digest ?? ""],
    ["time", new Date(facts.mtime * 1000).toISOString()],
  ];
  const shown = rows.filter(([, value]) => value !== "");
  const head = shown.map(([name, value]) => `${name.padEnd(11)}  ${value}\n`).join("");
  if (entries === undefined) return head;
  return `${head}\n${entries.map((entry) => `${listingLine(entry)}\n`).join("")}`;
}
