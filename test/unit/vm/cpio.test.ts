import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { cpioArchive, FILE, FOLDER } from "../../../builder/vm/cpio.ts";
import { initramfs, runArchive } from "../../../builder/vm/initramfs.ts";
import { skipUnless } from "../../support/needs.ts";
import { run } from "../../support/process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const entries = [
  { name: "dir", mode: FOLDER | 0o755 },
  { name: "dir/odd", mode: FILE | 0o640, data: Buffer.from("12345") },
  { name: "dir/none", mode: FILE | 0o600, data: Buffer.alloc(0) },
];

describe("a cpio archive", () => {
  test("has the bytes that the format asks for", () => {
    const text = cpioArchive(entries).toString("latin1");
    const member = (inode: number, mode: string, size: number, name: string, data = "") => {
      const hex = (value: number) => value.toString(16).padStart(8, "0");
      const numbers = [inode, Number.parseInt(mode, 8), 0, 0, 1, 0, size, 0, 0, 0, 0];
      const head = `070701${[...numbers, name.length + 1, 0].map(hex).join("")}${name}\0`;
      const pad = (part: string) => part + "\0".repeat((4 - (part.length % 4)) % 4);
      return pad(head) + pad(data);
    };
    expect(text).toBe(
      member(1, "040755", 0, "dir") +
        member(2, "100640", 5, "dir/odd", "12345") +
        member(3, "100600", 0, "dir/none") +
        member(0, "0", 0, "TRAILER!!!"),
    );
    expect(text.length % 4).toBe(0);
  });

  skipUnless("cpio")("is read by cpio", async () => {
    const file = path.join(temporaryDirectory(), "archive");
    writeFileSync(file, cpioArchive(entries));
    const { stdout } = await run("sh", ["-c", `cpio -itv --quiet < ${file}`]);
    const lines = stdout.trim().split("\n");
    expect(lines.map((line) => line.split(/\s+/)[0])).toEqual([
      ...["drwxr-xr-x", "-rw-r-----", "-rw-------"],
    ]);
    expect(lines[1]).toMatch(/root\s+root\s+5 .* dir\/odd$/);
  });
});

describe("an initramfs", () => {
  const modules = [
    { name: "one", bytes: Buffer.from("first module") },
    { name: "two", bytes: Buffer.alloc(2 << 20, "x") },
  ];
  const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

  test.each(["none", "gzip", "zstd"] as const)(
    "is one stream of %s, the same every time, and ends where another archive may begin",
    async (compression) => {
      const request = { arch: "x86_64", modules, compression, effort: "smallest" } as const;
      const made = await initramfs(request);
      expect(digest(made)).toBe(digest(await initramfs(request)));
      expect(made.length).toBeLessThanOrEqual(
        (await initramfs({ ...request, effort: "fast" })).length,
      );
      expect(made.length % 4).toBe(0);
      const magic = { none: "303730", gzip: "1f8b08", zstd: "28b52f" }[compression];
      expect(made.toString("hex", 0, 3)).toBe(magic);
      // The kernel wants the end of the archive at the end of a frame, so there is one alone.
      const frame = Buffer.from(magic, "hex");
      if (compression === "zstd") expect(made.indexOf(frame, 1)).toBe(-1);
    },
  );

  test("says what a run is to do, with any bytes but NUL", () => {
    const archive = runArchive([
      ["arg", "a b\n=c"],
      ["env", "K=ü"],
    ]);
    expect(archive.toString()).toContain("version=1\0arg=a b\n=c\0env=K=ü\0");
    expect(() => runArchive([["arg", "a\0b"]])).toThrow("arg has a NUL byte");
  });
});
