/** Specification, "Archive formats": what is told by its magic. Zip: archives.test.ts. */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { bundleOf } from "../support/bundle-of.ts";
import { makeElf } from "../support/elf.ts";
import { ask, checkOf, imageOf, refused, runnerOf, ways } from "../support/runner.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let image: string;
let bytes: Buffer;
beforeAll(async () => {
  image = await imageOf();
  bytes = readFileSync(image);
});

/** Writes an archive. @returns its path */
function archive(content: Buffer | string, name = "archive"): string {
  const file = path.join(temporaryDirectory(), name);
  writeFileSync(file, content);
  return file;
}

/** An ELF file with the image behind it. */
function appended(elf: Buffer, alignment: number, content = bytes): Buffer {
  const start = Math.ceil(elf.length / alignment) * alignment;
  return Buffer.concat([elf, Buffer.alloc(start - elf.length), content]);
}

/** Base64 in lines of `width`, with comments before, between and behind. */
function base64(content: Buffer, width: number): string {
  const text = content.toString("base64");
  const lines = text.match(new RegExp(`.{1,${width}}`, "g")) ?? [];
  lines.splice(Math.floor(lines.length / 2), 0, "# in the middle: == not/base64 +");
  return ["# first line", "#", ...lines, "# the end", ""].join("\n");
}

describe.each(ways)("$title", (way) => {
  const check = checkOf(way);
  const uses: [string, string][] = [
    ["--static", "STATIC"],
    ["--dynamic", "DYNAMIC"],
  ];
  const shows = async (file: string) => {
    for (const [option, variable] of uses) {
      const args = [`${option}=a:${file}`, "sh", "-c", `cd "$FUSELAGE_${variable}/a" && cat file`];
      expect(await ask(way, args), option).toBe("packed\n");
    }
  };

  for (const compressor of ["gzip", "xz", "lz4", "zstd"]) {
    check(`squashfs (${compressor}), by its magic and not by its name`, async () => {
      const packed = await imageOf(undefined, "-comp", compressor);
      await shows(archive(readFileSync(packed), "looks-like.zip"));
    });
  }

  check("a squashfs image that is not padded", async () => {
    await shows(await imageOf(undefined, "-nopad"));
  });

  check("big-endian squashfs (sqsh) is refused in words", async () => {
    const swapped = Buffer.from(bytes);
    swapped.subarray(0, 96).swap32();
    swapped.write("sqsh", 0, "latin1");
    for (const [option] of uses) {
      const { status, code, stderr } = await refused(way, [option, archive(swapped), "true"]);
      expect({ status, code }).toEqual({ status: 125, code: "E_IMAGE_UNSUPPORTED" });
      expect(stderr).toMatch(/big-endian/);
    }
  });

  for (const bits of [64, 32] as const) {
    check(
      `ELF+squashfs: the image at the 4096-byte-aligned end of an ELF${bits} file`,
      async () => {
        await shows(archive(appended(makeElf({ bits }), 4096)));
      },
    );
  }

  check("the end is that of the section table, the program table or the last PT_LOAD", async () => {
    const large = makeElf({ sections: [{ name: ".data", content: Buffer.alloc(9000, 1) }] });
    await shows(archive(appended(large, 4096)));
    const load = makeElf({ load: { offset: 0, size: 20_000 } });
    await shows(archive(appended(Buffer.concat([load, Buffer.alloc(20_000 - load.length)]), 4096)));
  });

  check("an AppImage-like file (AI\\x02 in its header), padded to 4096", async () => {
    const elf = makeElf();
    elf.write("AI\x02", 8, "latin1");
    await shows(archive(appended(elf, 4096), "some.AppImage"));
  });

  check(
    "existing AppImage files work: their image follows the ELF file without padding",
    async () => {
      const elf = makeElf();
      elf.write("AI\x02", 8, "latin1");
      expect(elf.length % 512).not.toBe(0);
      await shows(archive(appended(elf, 1), "some.AppImage"));
    },
  );

  check("a bundle of the builder is an archive too", async () => {
    const file = await bundleOf(image);
    await shows(file);
  });

  check("an ELF without an embedded squashfs is rejected", async () => {
    for (const file of [archive(makeElf()), runnerOf(way)]) {
      const { status, code } = await refused(way, ["-s", file, "true"]);
      expect(status).toBe(125);
      expect(["E_ARCHIVE_FORMAT", "E_IMAGE_TRUNCATED"]).toContain(code);
    }
    const other = archive(appended(makeElf(), 4096, Buffer.alloc(8192, "no image")));
    const { status, code } = await refused(way, ["-s", other, "true"]);
    expect({ status, code }).toEqual({ status: 125, code: "E_ARCHIVE_FORMAT" });
  });

  for (const width of [1, 4, 57, 64, 76, 1000, 1_000_000]) {
    check(`base64 text with # lines, ${width} characters a line`, async () => {
      await shows(archive(base64(bytes, width), "archive.b64"));
    });
  }

  check("base64 text with CRLF, without a last newline, with white space", async () => {
    const text = base64(bytes, 76);
    await shows(archive(text.replaceAll("\n", "\r\n")));
    await shows(archive(bytes.toString("base64")));
    await shows(archive(text.replaceAll("\n", "  \n\n")));
  });

  check("base64 text that is never written to disk", async () => {
    const file = archive(base64(bytes, 76));
    const script =
      'find "$HOME" -xdev -type f | wc -l; cat "$FUSELAGE_STATIC/a/file"; find "$HOME" -xdev | wc -l';
    // -xdev: of the home's own file system; .fuselage and procdirs are directories.
    const out = await ask(way, ["-s", `a:${file}`, "sh", "-c", script]);
    expect(out).toBe("0\npacked\n3\n");
  });

  const broken: [string, string | Buffer][] = [
    ["an empty file", ""],
    ["text", "hello world\n"],
    ["base64 of text", Buffer.from("hello world, no archive at all").toString("base64")],
    ["only comments", "# nothing\n# else\n"],
    ["random bytes", Buffer.alloc(4096, "\x00\x91\xff")],
    ["base64 with a foreign character", "aHNxcw==\n!!!\n"],
    ["a gzip file", Buffer.from("1f8b0800000000000003", "hex")],
    ["one byte", "h"],
  ];
  for (const [title, content] of broken) {
    check(`${title} is refused by its content`, async () => {
      const file = archive(content);
      for (const [option] of uses) {
        const { status, code, stderr } = await refused(way, [option, file, "true"]);
        expect({ status, code }).toEqual({ status: 125, code: "E_ARCHIVE_FORMAT" });
        expect(stderr).toContain(file);
      }
    });
  }

  check("cut images are refused before the command starts", async () => {
    const used = Number(bytes.readBigUInt64LE(40)); // bytes_used of the superblock
    for (const length of [4, 50, 95, 96, 200, used >> 1, used - 1]) {
      const { status, code, stdout } = await refused(way, [
        "-s",
        archive(bytes.subarray(0, length)),
        "echo",
        "started",
      ]);
      expect({ length, status, stdout }).toEqual({ length, status: 125, stdout: "" });
      expect(["E_IMAGE_TRUNCATED", "E_IMAGE_CORRUPT"]).toContain(code);
    }
  });

  check("a FILE that is missing, a directory or closed says so", async () => {
    const missing = await refused(way, ["-s", "/no/such.sfs", "true"]);
    expect(missing).toMatchObject({ status: 125, code: "E_ARCHIVE_OPEN" });
    expect(missing.stderr).toContain("No such file or directory");
    const folder = await refused(way, ["-s", "/etc", "true"]);
    expect(folder).toMatchObject({ status: 125, code: "E_ARCHIVE_OPEN" });
    expect(folder.stderr).toMatch(/found a directory/);
    // The second has no end.
    for (const device of ["/dev/null", "/dev/zero"]) {
      const file = await refused(way, ["-s", device, "true"]);
      expect(file).toMatchObject({ status: 125, code: "E_ARCHIVE_OPEN" });
      expect(file.stderr).toContain(`${device}: expected a file, found a character device`);
    }
  });

  check("an archive through a pipe", async () => {
    for (const [option, variable] of uses) {
      const shown = `sh -c 'cat "$FUSELAGE_${variable}/a/file"'`;
      const piped = `cat "$1" | "$0" ${option} a:/dev/stdin ${shown}`;
      expect(await ask(way, ["sh", "-c", piped, runnerOf(way), image])).toBe("packed\n");
    }
  });

  check("a base64 archive through a heredoc", async () => {
    const script = path.join(temporaryDirectory(), "script");
    const command = `'${runnerOf(way)}' --run bin/say --static=a:/dev/stdin -- "$@"`;
    const text = `#!/bin/sh\n${command} <<'END'\n${base64(bytes, 76)}END\n`;
    writeFileSync(script, text);
    chmodSync(script, 0o755);
    expect(await ask(way, [script, "one", "two"])).toBe("<one><two>");
  });

  check("a herescript: a text file that is its own archive", async () => {
    const script = path.join(temporaryDirectory(), "herescript");
    const first = `#!/usr/bin/env -S ${runnerOf(way)} --run bin/say --static`;
    writeFileSync(script, `${first}\n${base64(bytes, 76)}`);
    chmodSync(script, 0o755);
    expect(await ask(way, [script, "one", "two"])).toBe("<one><two>");
  });
});
