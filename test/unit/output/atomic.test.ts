import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { BundleError, outputFailed } from "../../../builder/errors.ts";
import { resolveOutput, writeAtomically } from "../../../builder/output/atomic.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const write = (file: string, text: string) =>
  writeAtomically(file, 0o755, async (handle) => handle.writeFile(text));

describe("a file", () => {
  test("appears complete, with its mode", async () => {
    const file = path.join(temporaryDirectory(), "out");
    await write(file, "text");
    expect(readFileSync(file, "utf8")).toBe("text");
    expect(lstatSync(file).mode & 0o777).toBe(0o755 & ~process.umask());
    expect(readdirSync(path.dirname(file))).toEqual(["out"]);
  });

  test("replaces an earlier one only when it is complete", async () => {
    const file = path.join(temporaryDirectory(), "out");
    writeFileSync(file, "before");
    await writeAtomically(file, 0o644, async (handle) => {
      await handle.writeFile("after");
      expect(readFileSync(file, "utf8")).toBe("before");
    });
    expect(readFileSync(file, "utf8")).toBe("after");
  });

  test("may have the longest name", async () => {
    const file = path.join(temporaryDirectory(), "x".repeat(255));
    await write(file, "text");
    expect(existsSync(file)).toBe(true);
  });

  test("that fails leaves nothing, and an earlier one unchanged", async () => {
    const file = path.join(temporaryDirectory(), "out");
    writeFileSync(file, "before");
    const failing = writeAtomically(file, 0o644, async (handle) => {
      await handle.writeFile("half");
      throw new BundleError("E_FILE_CHANGED", "it changed");
    });
    await expect(failing).rejects.toMatchObject({ code: "E_FILE_CHANGED" });
    expect(readFileSync(file, "utf8")).toBe("before");
    expect(readdirSync(path.dirname(file))).toEqual(["out"]);
  });

  test("that replaces nothing leaves its name to who has taken it meanwhile", async () => {
    const file = path.join(temporaryDirectory(), "out");
    const taken = () => new BundleError("E_ENGINE_EXISTS", "it is taken");
    const making = (text: string, meanwhile: () => void) =>
      writeAtomically(
        file,
        0o644,
        async (handle) => {
          await handle.writeFile(text);
          meanwhile();
        },
        file,
        taken,
      );
    const late = making("late", () => writeFileSync(file, "his"));
    await expect(late).rejects.toMatchObject({ code: "E_ENGINE_EXISTS" });
    expect(readFileSync(file, "utf8")).toBe("his");
    rmSync(file);
    await making("mine", () => {});
    expect(readFileSync(file, "utf8")).toBe("mine");
    expect(lstatSync(file).nlink).toBe(1);
    expect(readdirSync(path.dirname(file))).toEqual(["out"]);
  });

  test.each([
    ["ENOSPC", "E_OUTPUT_NO_SPACE"],
    ["EDQUOT", "E_OUTPUT_NO_SPACE"],
    ["EROFS", "E_OUTPUT_PERMISSION"],
    ["EIO", "E_OUTPUT_FAILED"],
  ])("whose system call fails with %s fails with %s", async (errno, code) => {
    const file = path.join(temporaryDirectory(), "out");
    const failing = writeAtomically(file, 0o644, async () => {
      throw Object.assign(new Error("words"), { code: errno });
    });
    await expect(failing).rejects.toMatchObject({ code, path: file });
    expect(readdirSync(path.dirname(file))).toEqual([]);
  });
});

describe("a failure to write", () => {
  const full = Object.assign(new Error("words"), { code: "ENOSPC" });
  const failing = (file: string, path: string) =>
    writeAtomically(file, 0o644, async () => {
      throw outputFailed(path, "writing", full);
    });

  test("of a writer that has no name names the file", async () => {
    const file = path.join(temporaryDirectory(), "out");
    for (const named of ["the image", path.join(path.dirname(file), ".bundle-1.tmp")]) {
      await expect(failing(file, named)).rejects.toMatchObject({ path: file });
    }
  });

  test("of another file, on another disk say, names that", async () => {
    const file = path.join(temporaryDirectory(), "out");
    const other = path.join(temporaryDirectory(), "scratch");
    const code = "E_OUTPUT_NO_SPACE";
    await expect(failing(file, other)).rejects.toMatchObject({ code, path: other });
    expect(readdirSync(path.dirname(file))).toEqual([]);
  });
});

describe("the output path", () => {
  test("keeps a symbolic link and leads to its target", async () => {
    const dir = temporaryDirectory();
    writeFileSync(path.join(dir, "real"), "");
    symlinkSync("real", path.join(dir, "link"));
    expect(await resolveOutput(path.join(dir, "link"))).toBe(path.join(dir, "real"));
  });

  test.each<[string, string, (file: string) => void]>([
    ["a folder", "E_OUTPUT_DIRECTORY", (file) => mkdirSync(file)],
    ["a link that leads nowhere", "E_OUTPUT_FAILED", (file) => symlinkSync("gone", file)],
    ["a device", "E_OUTPUT_FAILED", (file) => symlinkSync("/dev/null", file)],
  ])("cannot be %s", async (_, code, make) => {
    const file = path.join(temporaryDirectory(), "out");
    make(file);
    await expect(resolveOutput(file)).rejects.toMatchObject({ code });
  });

  test("of a file that goes while it is looked at is that of one that is not there", async () => {
    const dir = temporaryDirectory();
    for (let i = 0; i < 300; i++) {
      const file = path.join(dir, `out${i}`);
      writeFileSync(file, "");
      const resolved = resolveOutput(file);
      // With one name it goes before the first look, with others before the second or the third.
      for (let turn = 0; turn < i % 4; turn++) await new Promise(setImmediate);
      rmSync(file);
      expect(await resolved).toBe(file);
    }
  });

  test("cannot end with a slash", async () => {
    const file = `${temporaryDirectory()}/out/`;
    await expect(resolveOutput(file)).rejects.toMatchObject({ code: "E_OUTPUT_DIRECTORY" });
  });

  test("cannot lie in a folder that is missing", async () => {
    const file = path.join(temporaryDirectory(), "gone", "out");
    await expect(resolveOutput(file)).rejects.toMatchObject({ code: "E_OUTPUT_FAILED" });
  });
});
