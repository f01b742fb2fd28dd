/** Lines of `bundle inspect --list`, as `ls -l` has them. */
import type { ImageEntry } from "../squashfs/image-reader.ts";
import { displayPath } from "../tree/path.ts";

const typeLetters: Record<ImageEntry["kind"], string> = {
  directory: "d",
  file: "-",
  symlink: "l",
  "block-device": "b",
  "character-device": "c",
  fifo: "p",
  socket: "s",
};

/**
 * 0o4755 → "rwsr-xr-x"
 *
 * @internal
 */
export function permissionLetters(mode: number): string {
  const special = [
    { bit: 0o4000, letter: "s", place: 2 },
    { bit: 0o2000, letter: "s", place: 5 },
    { bit: 0o1000, letter: "t", place: 8 },
  ];
  const letters = [..."rwxrwxrwx"].map((letter, place) =>
    (mode & (0o400 >> place)) !== 0 ? letter : "-",
  );
  for (const { bit, letter, place } of special) {
    if ((mode & bit) !== 0) letters[place] = letters[place] === "x" ? letter : letter.toUpperCase();
  }
  return letters.join("");
}

/** Bytes of a file, the numbers of a device, else nothing. */
function sizeColumn({ kind, size, device }: ImageEntry): string {
  if (device !== undefined) return `${device.major},${device.minor}`;
  return kind === "file" ? `${size}` : "-";
}

/** One line without its newline: mode, owner, size, time (UTC), path and target. */
export function listingLine(entry: ImageEntry): string {
  const mode = typeLetters[entry.kind] + permissionLetters(entry.mode);
  const time = new Date(entry.mtime * 1000).toISOString().slice(0, 16).replace("T", " ");
  const owner = `${entry.uid}:${entry.gid}`.padEnd(9);
  const name = entry.path === "" ? "." : displayPath(entry.path);
  const target = entry.target === undefined ? "" : ` -> ${displayPath(entry.target)}`;
  return `${mode} ${owner} ${sizeColumn(entry).padStart(12)} ${time} ${name}${target}`;
}

/** An entry as `--json` shows it. */
export function listingObject(entry: ImageEntry): Record<string, unknown> {
  const { path, kind, mode, uid, gid, mtime, inode, links, size, target, device, xattrs } = entry;
  return {
    path: displayPath(path),
    kind,
    mode: mode.toString(8).padStart(4, "0"),
    uid,
    gid,
    mtime,
    inode,
    links,
    ...(kind === "file" && { size }),
    ...(target !== undefined && { target: displayPath(target) }),
    ...device,
    ...(xattrs.length > 0 && { xattrs: xattrs.map(({ name }) => displayPath(name)) }),
  };
}
