/** The builder's view of the rules that test/security/paths-walk.test.ts has case by case. */
import { chmodSync, chownSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { trustedFolder } from "../../../builder/host/trusted.ts";
import { skipUnless } from "../../support/needs.ts";
import { ordinaryUser } from "../../support/process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const other = ordinaryUser().uid + 1;

function folder(dir: string, mode: number, owner?: number): string {
  mkdirSync(dir);
  if (owner !== undefined) chownSync(dir, owner, owner);
  chmodSync(dir, mode);
  return dir;
}

describe("a folder is trusted:", () => {
  test("/, /tmp, and one's own there, also through links and dots", () => {
    const dir = temporaryDirectory();
    folder(path.join(dir, "own"), 0o700);
    symlinkSync("own", path.join(dir, "link"));
    symlinkSync(dir, path.join(dir, "own/back"));
    expect(trustedFolder("/")).toBe("/");
    expect(trustedFolder("/tmp/")).toBe("/tmp");
    for (const name of [
      "own",
      "link",
      "own/../link/.",
      "link/back/own",
      "own/back/link/back/own",
    ]) {
      expect(trustedFolder(`${dir}/${name}`)).toBe(`${dir}/own`);
    }
  });
});

describe("a folder is not:", () => {
  test("one that is missing, a file, a link in a circle, and what everybody writes to", () => {
    const dir = temporaryDirectory();
    writeFileSync(path.join(dir, "file"), "");
    symlinkSync("loop", path.join(dir, "loop"));
    folder(path.join(dir, "open"), 0o777);
    folder(path.join(dir, "open/own"), 0o700);
    for (const name of ["gone", "file", "file/x", "loop", "open", "open/own"]) {
      expect(trustedFolder(`${dir}/${name}`)).toBeUndefined();
    }
  });

  skipUnless("root")("another user's, what is in it, and another user's link", () => {
    const dir = temporaryDirectory();
    folder(path.join(dir, "theirs"), 0o755, other);
    folder(path.join(dir, "theirs/own"), 0o700);
    folder(path.join(dir, "sticky"), 0o1777);
    folder(path.join(dir, "sticky/theirs"), 0o755, other);
    folder(path.join(dir, "group"), 0o775);
    symlinkSync("/tmp", path.join(dir, "sticky/link"));
    lchownSync(path.join(dir, "sticky/link"), other, other);
    symlinkSync("theirs/own", path.join(dir, "through"));
    const names = ["theirs", "theirs/own", "sticky/theirs", "group", "sticky/link", "through"];
    for (const name of [...names, "theirs/../sticky", "through/../../sticky"]) {
      expect(trustedFolder(`${dir}/${name}`)).toBeUndefined();
    }
  });
});
