import path from "node:path";
import { describe, expect, test } from "vitest";
import { systemFolders } from "../../../builder/libraries/search-path.ts";
import { type Files, writeFiles } from "../../support/case.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

function folders(files: Files, musl = false): string[] {
  const root = temporaryDirectory();
  writeFiles(root, files);
  return systemFolders("x86_64", musl, root).map((dir) => `/${path.relative(root, dir)}`);
}

describe("folders of libraries", () => {
  test("are those of ld.so.conf in order, then those that are built in, if they exist", () => {
    const found = folders({
      "etc/ld.so.conf":
        "# first\n/opt/a # here\nhwcap 0 nosegneg\ninclude ld.so.conf.d/*.conf\n/gone\n",
      "etc/ld.so.conf.d/2.conf": "/opt/c\n",
      "etc/ld.so.conf.d/1.conf": "/opt/b\n/opt/a\n",
      "etc/ld.so.conf.d/3.txt": "/opt/d\n",
      "opt/a": { folder: true },
      "opt/b": { folder: true },
      "opt/c": { folder: true },
      "opt/d": { folder: true },
      "usr/lib/x86_64-linux-gnu": { folder: true },
      lib64: { folder: true },
    });
    expect(found).toEqual([
      "/opt/a",
      "/opt/b",
      "/opt/c",
      "/usr/lib/x86_64-linux-gnu",
      "/lib64",
      "/usr/lib",
    ]);
  });

  test("files that include each other come to an end", () => {
    expect(
      folders({ "etc/ld.so.conf": "include /etc/ld.so.conf\n", lib: { folder: true } }),
    ).toEqual(["/lib"]);
  });

  test("are those of musl's own file for its programs", () => {
    const files = { lib: { folder: true }, "opt/m": { folder: true } } as const;
    expect(folders(files, true)).toEqual(["/lib"]);
    const configured = { ...files, "etc/ld-musl-x86_64.path": "/opt/m:/gone\n/lib\n" };
    expect(folders(configured, true)).toEqual(["/opt/m", "/lib"]);
  });
});
