import { expect, test } from "vitest";
import { listingLine, listingObject, permissionLetters } from "../../../builder/cli/listing.ts";
import type { ImageEntry } from "../../../builder/squashfs/image-reader.ts";

function entry(given: Partial<ImageEntry>): ImageEntry {
  const rest = { uid: 0, gid: 0, mtime: 0, ref: 0, inode: 1, links: 1, size: 0, xattrs: [] };
  return { path: "a", kind: "file", mode: 0o644, ...rest, ...given };
}

test.each([
  [0o755, "rwxr-xr-x"],
  [0o4755, "rwsr-xr-x"],
  [0o2644, "rw-r-Sr--"],
  [0o1777, "rwxrwxrwt"],
  [0o1000, "--------T"],
  [0, "---------"],
])("mode %o is %s", (mode, letters) => {
  expect(permissionLetters(mode)).toBe(letters);
});

test("a line looks like one of ls -l, with names made safe", () => {
  const file = { mode: 0o4755, uid: 1000, gid: 100, mtime: 1e9, size: 4 };
  expect(listingLine(entry({ path: "bin/a\nb", ...file }))).toBe(
    "-rwsr-xr-x 1000:100             4 2001-09-09 01:46 bin/a\\nb",
  );
  expect(listingLine(entry({ path: "", kind: "directory", mode: 0o755 }))).toBe(
    "drwxr-xr-x 0:0                  - 1970-01-01 00:00 .",
  );
  expect(listingLine(entry({ kind: "symlink", target: "\xff" }))).toMatch(/a -> \\xff$/);
  const device = { major: 1, minor: 3 };
  expect(listingLine(entry({ kind: "character-device", device }))).toMatch(/^crw-r--r-- .* 1,3 /);
});

test("an entry as JSON has what its kind has", () => {
  expect(listingObject(entry({ size: 4 }))).toMatchObject({ size: 4, mode: "0644" });
  expect(listingObject(entry({ kind: "symlink", target: "b" }))).toMatchObject({ target: "b" });
  expect(listingObject(entry({ kind: "directory" }))).not.toHaveProperty("size");
});
