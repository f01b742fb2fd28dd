/** Container images and runtime bundles of bundles that somebody made to do harm. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, truncateSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { build } from "../../builder/api/build.ts";
import { exportImage } from "../../builder/api/export.ts";
import { exportRuntimeBundle } from "../../builder/api/export-runtime.ts";
import type { Manifest } from "../../builder/manifest/manifest.ts";
import { bundleOf, mksquashfs } from "../support/bundle-of.ts";
import { writeFiles } from "../support/case.ts";
import { skipUnless } from "../support/needs.ts";
import { imageOf, Layout, named } from "../support/oci.ts";
import { tarOf } from "../support/tar.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let dir: string;
let base: string;
let count = 0;
const isMissing = skipUnless("mksquashfs");
const folders = ["dev", "etc", "proc", "run", "sys", "tmp", "bin"];

beforeAll(() => {
  dir = temporaryDirectory();
  base = `oci:${dir}/base`;
  const layout = new Layout(`${dir}/base`);
  layout.index(named(layout.image([tarOf({ name: "bin/", type: "5" })]), "x"));
});

/** A bundle of some files, with whatever manifest. */
async function bundle(files: (folder: string) => void, manifest: Partial<Manifest>) {
  const folder = `${dir}/tree-${count++}`;
  mkdirSync(folder);
  files(folder);
  return bundleOf(await mksquashfs(folder), manifest);
}

const program = (folder: string) => {
  writeFiles(folder, { run: "#!/bin/sh\n" });
  chmodSync(`${folder}/run`, 0o755);
};

/** A root file system that starts nothing by itself. */
const rootFiles = (folder: string) => {
  for (const name of folders) mkdirSync(`${folder}/${name}`);
};

/** What is written of it, by every way out; nothing is left where one fails. */
async function outputs(input: string, options = {}): Promise<unknown[]> {
  const place = `${dir}/out-${count++}`;
  const ways: [string, (file: string) => Promise<unknown>][] = [
    [`${place}-oci`, (file) => exportImage({ input, to: `oci:${file}`, ...options })],
    [`${place}-tar`, (file) => exportImage({ input, to: `docker-archive:${file}`, ...options })],
    [`${place}-rb`, (file) => exportRuntimeBundle({ input, runtimeBundle: file })],
  ];
  const all: unknown[] = [];
  for (const [file, write] of ways) {
    const result = await write(file).catch((error: unknown) => {
      expect(existsSync(file)).toBe(false);
      return error;
    });
    all.push(result);
  }
  return all;
}

const refused = { code: "E_EXPORT_INPUT" };

describe("a bundle", () => {
  const test = isMissing;
  for (const name of ["../../escaped", "a/../../b", "..", ".", "", "a/b", "x".repeat(300)]) {
    test(`of the name ${JSON.stringify(name.slice(0, 20))} is refused`, async () => {
      const input = await bundle(program, { name });
      expect(await outputs(input, { base })).toMatchObject([refused, refused, refused]);
    });
  }

  test("that is a root takes a name that a container can have, of any name", async () => {
    for (const [name, called] of [
      ["..", "app"],
      ["-rf", "rf"],
      ["a\nb", "a-b"],
      ["x".repeat(250), "x".repeat(64)],
    ] as const) {
      const input = await bundle(rootFiles, { name, root: "image", entry: undefined });
      const runtimeBundle = `${dir}/root-${count++}`;
      const { mountPoint } = await exportRuntimeBundle({ input, runtimeBundle });
      expect(mountPoint).toBe(`/run/fuselage/${called}`);
      const { hostname } = JSON.parse(readFileSync(`${runtimeBundle}/config.json`, "utf8"));
      expect(hostname).toBe(called);
    }
  });

  test("with a name that would be a whiteout is refused", async () => {
    for (const name of [".wh.etc", "d/.wh..wh..opq"]) {
      const input = await bundle((folder) => writeFiles(folder, { run: "", [name]: "" }), {});
      expect((await outputs(input, { base })).slice(0, 2)).toMatchObject([refused, refused]);
    }
  });

  test("with variables that are none has none", async () => {
    const env = ["NONE", "=x", "A=1"];
    const input = await bundle(program, { env });
    await exportImage({ input, base, to: `oci:${dir}/variables` });
    const { config } = imageOf(`${dir}/variables`).config;
    expect(config.Env.filter((pair: string) => !/^(PATH|FUSELAGE_BUNDLE_DIR)=/.test(pair))).toEqual(
      ["A=1"],
    );
  });

  test("whose program is a large heap of nothing is refused before it is read", async () => {
    const input = await bundle((folder) => {
      writeFiles(folder, { run: "\x7fELF\x02\x01\x01" });
      truncateSync(`${folder}/run`, (1 << 30) + 1);
      chmodSync(`${folder}/run`, 0o755);
    }, {});
    const made = exportImage({ input, to: `oci:${dir}/heap` });
    await expect(made).rejects.toMatchObject(refused);
  });

  test("whose script names an interpreter without an end is refused in few words", async () => {
    const long = "a".repeat(100_000);
    const input = await bundle((folder) => writeFiles(folder, { run: `#!/${long}` }), {});
    for (const error of await outputs(input)) {
      expect(error).toMatchObject({ code: "E_EXPORT_LIBC" });
      expect(`${error}`.length).toBeLessThan(1000);
    }
  });
});

describe("users of an image", () => {
  const test = isMissing;
  const passwd =
    "big:x:4294967295:0\nletters:x:a:b\nless:x:-1:-1\nmore:x:1:99999999999\nok:x:5:6\n";
  const userOf = async (user: string, files: (folder: string) => void) => {
    const input = await bundle(
      (folder) => {
        rootFiles(folder);
        files(folder);
      },
      { root: "image", entry: undefined, user },
    );
    const runtimeBundle = `${dir}/users-${count++}`;
    await exportRuntimeBundle({ input, runtimeBundle });
    return JSON.parse(readFileSync(`${runtimeBundle}/config.json`, "utf8")).process.user;
  };
  const listed = (folder: string) => writeFiles(folder, { "etc/passwd": passwd });

  for (const user of [
    "big",
    "letters",
    "less",
    "more",
    "4294967295",
    "0:4294967295",
    "99999999999",
  ]) {
    test(`are refused as ${user}, whom no system has`, async () => {
      await expect(userOf(user, listed)).rejects.toMatchObject(refused);
    });
  }

  test("are found behind a link of the image, and not outside of it", async () => {
    const linked = (target: string) => (folder: string) => {
      writeFiles(folder, { "usr/passwd": passwd });
      symlinkSync(target, `${folder}/etc/passwd`);
    };
    expect(await userOf("ok", linked("../../../usr/passwd"))).toEqual({ uid: 5, gid: 6 });
    await expect(userOf("root", linked("/usr/share/none"))).rejects.toMatchObject(refused);
    writeFiles(dir, { passwd });
    await expect(userOf("ok", linked(`${dir}/passwd`))).rejects.toMatchObject(refused);
  });

  test("are not waited for, nor read without an end", async () => {
    const fifo = (folder: string) => void execFileSync("mkfifo", [`${folder}/etc/passwd`]);
    await expect(userOf("root", fifo)).rejects.toMatchObject(refused);
    expect(await userOf("7", fifo)).toEqual({ uid: 7, gid: 0 });
    const large = (folder: string) => {
      listed(folder);
      truncateSync(`${folder}/etc/passwd`, 9 << 20);
    };
    await expect(userOf("ok", large)).rejects.toMatchObject(refused);
  });
});

test("a bundle whose name is not ASCII keeps it in paths and variables", async () => {
  writeFiles(`${dir}/größe`, { "bin/größe": "#!/bin/größe-shell\n", data: "" });
  chmodSync(`${dir}/größe/bin/größe`, 0o755);
  const input = `${dir}/g.run`;
  await build({ input: `${dir}/größe`, output: input, args: ["${FUSELAGE_BUNDLE_DIR}/data"] });
  await exportImage({ input, base, to: `oci:${dir}/named` });
  const { Entrypoint, Env } = imageOf(`${dir}/named`).config.config;
  expect(Entrypoint).toEqual(["/opt/größe/bin/größe", "/opt/größe/data"]);
  expect(Env).toContain("FUSELAGE_BUNDLE_DIR=/opt/größe");
  // What it needs is looked for under the same name.
  const alone = exportImage({ input, to: `oci:${dir}/alone` });
  await expect(alone).rejects.toMatchObject({ path: "/bin/größe-shell" });
});

test.each(["/../etc", "/opt/./x", "/opt/..", "/x\0"])("%j is no place for files", async (at) => {
  const made = exportImage({ input: `${dir}/g.run`, base, at, to: `oci:${dir}/at` });
  await expect(made).rejects.toMatchObject({ code: "E_OPTION_VALUE" });
});
