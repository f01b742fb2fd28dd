/**
 * What readers of AppImages rely on in our runtime, and what we read of AppImages that others made:
 * any ELF file, the image right behind its section header table, at no boundary.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { appDir, appImage, elfOf, magic, smallAppDir } from "../support/appimage.ts";
import { bundleOf, mksquashfs, printed } from "../support/bundle-of.ts";
import { makeElf } from "../support/elf.ts";
import { withMounted } from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { asUser, bundle, fuselage, root, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const tree = ["AppRun", "tool.desktop", "usr"];

describe.each(["x86_64", "aarch64"])("the runtime for %s", (arch) => {
  const runtime = path.join(root, "dist/runtime", arch, "fuselage");

  test("has the reserved sections, zero, none of them loaded", async () => {
    const { sections } = await elfOf(runtime);
    const bytes = readFileSync(runtime);
    for (const [name, size] of Object.entries({
      ".upd_info": 1024,
      ".sha256_sig": 1024,
      ".sig_key": 8192,
      ".digest_md5": 16,
    })) {
      const section = sections.find((candidate) => candidate.name === name);
      expect(section, name).toMatchObject({ size });
      const at = section?.offset ?? 0;
      expect(bytes.subarray(at, at + size).every((byte) => byte === 0)).toBe(true);
    }
  });

  test("ends with its section header table, so that an image appended to it is found", async () => {
    const { offset, entryBytes, count } = (await elfOf(runtime)).sectionTable;
    expect(offset + entryBytes * count).toBe(statSync(runtime).size);
    expect(count).toBeGreaterThan(5);
  });

  test("has no OSABI, and the bytes of the magic are free", () => {
    expect([...readFileSync(runtime).subarray(7, 16)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

describe.each(["gzip", "zstd"] as const)("our runtime before an image of %s", (compression) => {
  let file: string;
  let offset: number;
  beforeAll(async () => {
    file = await appImage(smallAppDir, { compression });
    offset = Number(printed(await run(file, ["--appimage-offset"])));
  });

  test("has the magic, and is as large as the smallest that is taken", () => {
    const bytes = readFileSync(file);
    expect(bytes.subarray(8, 11)).toEqual(magic);
    expect(bytes.length).toBeGreaterThan(100 * 1024);
  });

  skipUnless("unsquashfs")("unsquashfs finds the image at the offset", async () => {
    const out = printed(await run("unsquashfs", ["-o", `${offset}`, "-l", "-d", "", file]));
    expect(out.split("\n").filter((line) => /^\/[^/]+$/.test(line))).toEqual(
      tree.map((name) => `/${name}`),
    );
    const stat = printed(await run("unsquashfs", ["-o", `${offset}`, "-s", file]));
    expect(stat).toContain(`Compression ${compression}`);
  });

  skipUnless("root", "loop")("the kernel mounts it at the offset", () => {
    withMounted(
      file,
      (dir) => {
        expect(readFileSync(path.join(dir, "usr/bin/tool"), "utf8")).toBe(
          smallAppDir["usr/bin/tool"],
        );
      },
      offset,
    );
  });
});

/** Programs that stand before images of others, by what is odd about them. */
const heads = {
  "a 64-bit program": makeElf({ sections: [{ name: ".text", content: Buffer.alloc(777) }] }),
  "a 32-bit program for ARM": makeElf({ bits: 32, machine: 40 }),
  "a program with update information": makeElf({
    sections: [{ name: ".upd_info", content: Buffer.alloc(1024) }],
  }),
};

describe.each(Object.entries(heads))("an AppImage of others: %s", (_, head) => {
  describe.each(["gzip", "zstd"] as const)("and %s", (compression) => {
    let file: string;
    beforeAll(async () => {
      const image = await mksquashfs(appDir(smallAppDir), "-comp", compression, "-all-root");
      file = path.join(temporaryDirectory(), "Other.AppImage");
      const bytes = Buffer.concat([head, readFileSync(image)]);
      magic.copy(bytes, 8);
      writeFileSync(file, bytes);
      expect(head.length % 4096).not.toBe(0);
    });

    const ls = ["ls", "-1"];
    const script = `${ls.join(" ")} "$FUSELAGE_STATIC/app"`;
    for (const type of ["loop", "fuse", "extract"] as const) {
      const needs = {
        loop: ["root", "loop"],
        fuse: ["fuse", "userns"],
        extract: ["userns"],
      } as const;
      skipUnless(...needs[type])(`is an archive for fuselage, by ${type}`, async () => {
        const args = [`--mount-type=${type}`, `--static=app:${file}`, "sh", "-c", script];
        const outcome =
          type === "loop"
            ? await run(fuselage, args, { env: { HOME: temporaryDirectory() } })
            : await asUser(fuselage, args, userDirectory());
        expect(printed(outcome)).toBe(`${tree.join("\n")}\n`);
      });
    }

    test("bundle inspect says where its image is", async () => {
      const shown = JSON.parse(printed(await bundle(["inspect", "--json", file])));
      expect(JSON.stringify(shown)).toContain(`${head.length}`);
      expect(JSON.stringify(shown)).toContain(compression);
    });

    test("bundle extract unpacks it", async () => {
      const out = path.join(temporaryDirectory(), "out");
      printed(await bundle(["extract", file, "-d", out]));
      expect(readFileSync(path.join(out, "usr/bin/tool"), "utf8")).toBe(
        smallAppDir["usr/bin/tool"],
      );
    });

    skipUnless("root", "loop")("bundle mount shows it", async () => {
      const dir = temporaryDirectory();
      printed(await bundle(["mount", file, dir]));
      const found = readdirSync(dir);
      printed(await bundle(["umount", dir]));
      expect(found).toEqual(tree);
      expect(readdirSync(dir)).toEqual([]);
    });

    skipUnless("userns")("our runtime runs it as TARGET_APPIMAGE", async () => {
      const own = await appImage();
      const env = { HOME: temporaryDirectory(), TARGET_APPIMAGE: file };
      const out = printed(await run(own, ["sh", "-c", 'ls -1 "$APPDIR"'], { env }));
      expect(out).toBe(`${tree.join("\n")}\n`);
    });
  });
});

test("a bundle of ours is no AppImage", async () => {
  const image = await mksquashfs(appDir(smallAppDir));
  const file = await bundleOf(image, { entry: "AppRun" });
  expect([...readFileSync(file).subarray(8, 11)]).toEqual([0, 0, 0]);
});
