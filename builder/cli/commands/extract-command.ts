/** `bundle extract FILE [PATH]... [-d DIR] [OPTION]...` */

import { withImage } from "../../api/inspect.ts";
import { checkOption } from "../../config/validate.ts";
import * as errors from "../../errors.ts";
import { publishDirectory } from "../../output/output-directory.ts";
import type { ExtractReport, ImageReader } from "../../squashfs/image-reader.ts";
import { byteString, displayPath, splitPath } from "../../tree/path.ts";
import type { Arguments } from "../parse.ts";
import { counted, formatBytes, print, printable, printJson } from "../print.ts";

export async function extractCommand(args: Arguments): Promise<void> {
  const [file = "", ...wanted] = args.positionals;
  checkOption("extract", "directory", args.text("directory"));
  const directory = args.text("directory") ?? "squashfs-root";
  if (args.flag("owners") && args.flag("no-owners")) {
    throw errors.optionConflict("--owners and --no-owners");
  }
  const options = {
    setId: args.flag("set-id"),
    devices: args.flag("devices"),
    owners: args.flag("owners"),
    privilegedXattrs: args.flag("privileged-xattrs"),
  };
  const { dir, result } = await withImage(file, async (_, image) => {
    const paths = wanted.length > 0 ? await pathsIn(image, wanted) : [];
    return publishDirectory(directory, (temporary) =>
      image.extract(temporary, { ...options, paths }),
    );
  });
  if (args.flag("json")) {
    printJson({ directory: dir, ...result });
    return;
  }
  const { entries, bytes } = result;
  print(
    `${printable(directory)}: ${counted(entries, "entry", "entries")}, ${formatBytes(bytes)}${leftOut(result)}\n`,
  );
}

/** Byte strings. @throws E_PATH_INVALID for what the image has not */
async function pathsIn(image: ImageReader, wanted: readonly string[]): Promise<string[]> {
  const there = new Set((await image.list()).map(({ path }) => path));
  return wanted.map((text) => {
    const path = splitPath(byteString(text.replace(/\/+/g, "/").replace(/^\/|\/$/g, ""))).join("/");
    if (there.has(path)) return path;
    const hint = "`bundle inspect --list FILE` has all that is in it.";
    throw errors.pathInvalid(displayPath(path), "the image has nothing of this name", hint);
  });
}

/** What was left out, and by which options it is kept. */
function leftOut(report: ExtractReport): string {
  const all: [number, string, string][] = [
    [report.skippedDevices, "device nodes", "--devices"],
    [report.skippedSetId, "set-id bits", "--set-id"],
    [report.skippedOwners, "owners", "--owners"],
    [report.skippedPrivilegedXattrs, "privileged attributes", "--privileged-xattrs"],
    [report.skippedXattrs, "extended attributes that are refused here", ""],
  ];
  const found = all.filter(([count]) => count > 0);
  if (found.length === 0) return "";
  const options = found.flatMap(([, , option]) => (option === "" ? [] : [option]));
  const what = found.map(([count, name]) => `${count} ${name}`).join(", ");
  const keep = options.length > 1 ? "keep them" : "keeps them";
  return `; left out ${what}${options.length === 0 ? "" : ` (${options.join(" ")} ${keep})`}`;
}
