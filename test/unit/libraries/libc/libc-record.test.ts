/** The line of a manifest that says which libc is in the image. */
import { expect, test } from "vitest";
import {
  type LibcRecord,
  libcText,
  parseLibc,
} from "../../../../builder/libraries/libc/libc-record.ts";

const glibc: LibcRecord = {
  kind: "glibc",
  version: "2.36",
  mode: "auto",
  needs: ["GLIBC_2.34", "GLIBC_ABI_DT_RELR"],
  loader: "/lib64/ld-linux-x86-64.so.2",
  bytes: 3742560,
  sha256: "ab".repeat(32),
  build: "Debian GLIBC 2.36-9+deb12u14, patched",
};

test.each<[string, LibcRecord]>([
  ["a glibc for old machines", glibc],
  ["one that is always used", { ...glibc, mode: "pack", needs: [] }],
  ["one that does not say who built it", { ...glibc, build: "" }],
  ["musl", { ...glibc, kind: "musl", version: "1.2.3", mode: "pack", needs: [], build: "" }],
  ["a dynamic linker in an odd place", { ...glibc, loader: "/opt/a, b/ld-linux.so.2" }],
])("says the same when it is read: %s", (_, record) => {
  expect(parseLibc(libcText(record))).toEqual(record);
});

test("is for people too", () => {
  expect(libcText({ ...glibc, needs: ["GLIBC_2.34"], build: "" })).toBe(
    `glibc 2.36, auto, needs GLIBC_2.34, loader /lib64/ld-linux-x86-64.so.2, 3742560 bytes, sha256 ${"ab".repeat(32)}`,
  );
});

test.each(["", "bionic 1, auto", libcText(glibc).replace("auto", "never"), "glibc 2.36, auto"])(
  "is not made up where it says something else: %j",
  (text) => {
    expect(parseLibc(text)).toBeUndefined();
  },
);
