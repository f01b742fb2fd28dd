import { expect, test } from "vitest";
import { Hidden } from "../../../builder/oci/hidden.ts";
import type { LayerEntry } from "../../../builder/oci/layer.ts";

const entry = (name: string, kind: LayerEntry["kind"] = "file"): LayerEntry => ({
  ...{ name, kind, mode: 0o644, uid: 0, gid: 0, mtime: 0, size: 0, linkName: "" },
  ...{ major: 0, minor: 0, xattrs: [] },
});

test("what upper layers have, take away, or put in the place of a folder", () => {
  const hidden = new Hidden();
  hidden.add([
    entry("./usr/", "directory"),
    entry("usr/bin/tool"),
    entry("/etc/.wh.passwd"),
    entry("opt/.wh.old"),
    entry("srv/.wh..wh..opq"),
    entry("lib", "symlink"),
  ]);
  const gone = ["usr/bin/tool", "./usr//bin/tool", "etc/passwd", "opt/old/deep/file", "srv/x/y"];
  expect(gone.filter((name) => !hidden.has(name))).toEqual([]);
  expect(["lib/libc.so.6", "srv/a"].every((name) => hidden.has(name))).toBe(true);
  const left = ["usr/bin/other", "usr", "etc/passwd-", "opt/older", "srv", "library"];
  expect(left.filter((name) => hidden.has(name))).toEqual([]);
});

test("all of a layer that is opaque at its root", () => {
  const hidden = new Hidden();
  hidden.add([entry(".wh..wh..opq")]);
  expect(hidden.has("etc/passwd")).toBe(true);
});
