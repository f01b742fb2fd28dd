/** One rule for each value, wherever it comes from: a command line, a configuration file, a program. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { assembleBundle } from "../../../builder/api/assemble.ts";
import { build, explain } from "../../../builder/api/build.ts";
import { dump } from "../../../builder/api/dump.ts";
import { mount } from "../../../builder/api/mount.ts";
import { pack } from "../../../builder/api/pack.ts";
import { umount } from "../../../builder/api/umount.ts";
import { verify } from "../../../builder/api/verify.ts";
import { writeImage } from "../../../builder/api/write-image.ts";
import { flagNames } from "../../../builder/cli/option-flags.ts";
import { checkOptions } from "../../../builder/config/validate.ts";
import { BundleError } from "../../../builder/errors.ts";
import { optionRules } from "../../../builder/generated/spec.ts";
import { smallApp, writeFiles } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const failureOf = async (work: () => unknown): Promise<BundleError> => {
  try {
    await work();
  } catch (thrown) {
    if (thrown instanceof BundleError) return thrown;
    throw thrown;
  }
  throw new Error("it did not fail");
};

/** What a failure says, with the same word for the option everywhere. */
const saying = ({ code, message, expected, actual }: Said, name: string) => ({
  code,
  message: message?.replace(name, "it"),
  expected,
  actual,
});

type Said = Partial<Pick<BundleError, "code" | "message" | "expected" | "actual">>;

/** The parts of what the library throws, as a command prints them with --json. */
const partsOf = (failure: BundleError): Said => {
  const { code, expected, actual } = failure;
  const { message } = failure.wordsFor((key) => key);
  return { code, message, ...(expected && { expected }), ...(actual && { actual }) };
};

function folder(files: Record<string, string> = {}): string {
  const dir = temporaryDirectory();
  writeFiles(dir, { ...smallApp, ...files });
  return dir;
}

describe("a wrong value fails with the same words by every way:", () => {
  test.each<[string, unknown, string[]]>([
    ["threads", 0, ["--threads", "0"]],
    ["threads", 257, ["--threads=257"]],
    ["threads", "two", ["--threads", "two"]],
    ["blockSize", 5000, ["--block-size", "5000"]],
    ["blockSize", 2 ** 21, ["--block-size", "2M"]],
    ["compression", "lzo", ["--compression", "lzo"]],
    ["variants", ["mips"], ["--variant", "mips"]],
    ["level", 23, ["--compression", "zstd:23"]],
    ["kind", "elv", ["--kind", "elv"]],
    ["arch", "mips", ["--arch", "mips"]],
    ["nodeLibc", "uclibc", ["--node-libc", "uclibc"]],
    ["format", "deb", ["--format", "deb"]],
    ["mountAt", "/run/fuselage/..", ["--mount-at", "/run/fuselage/.."]],
    [
      "mountAt",
      `/run/fuselage/${"x".repeat(256)}`,
      [`--mount-at=/run/fuselage/${"x".repeat(256)}`],
    ],
    ["name", "a/b", ["--name", "a/b"]],
    ["name", "a\nb", ["--name", "a\nb"]],
    ["name", "ü".repeat(128), ["--name", "ü".repeat(128)]],
    ["entry", "", ["--entry="]],
    ["env", ["A=1", "B"], ["--env", "A=1", "--env", "B"]],
    ["unsetEnv", ["A=1"], ["--unset-env", "A=1"]],
    ["appId", "App", ["--app-id", "App"]],
    ["summary", "two\nlines", ["--summary", "two\nlines"]],
  ])("%s: %j", async (key, value, args) => {
    const dir = folder();
    const [input, output] = [path.join(dir, "app"), path.join(dir, "out")];
    const options = { input, output, [key]: value };
    const byApi = await failureOf(() => build(options));
    expect(byApi.code).toBe("E_OPTION_VALUE");
    expect(await failureOf(() => explain(options))).toMatchObject({ message: byApi.message });

    const line = await bundle(["build", input, "-o", output, "--json", ...args]);
    const byLine = JSON.parse(line.stdout).error;
    const flag = args[0]?.replace(/=.*/s, "") ?? "";
    expect(saying(byLine, flag)).toEqual(saying(partsOf(byApi), key));
    expect(line.stderr).toContain(`${flag} does not take this value`);

    writeFileSync(path.join(input, "bundle.config.json"), JSON.stringify({ [key]: value }));
    const file = await bundle(["build", input, "-o", output, "--json"]);
    const byFile = JSON.parse(file.stdout).error;
    expect(saying(byFile, key)).toEqual(saying(partsOf(byApi), key));
    expect(byFile.path).toContain("bundle.config.json");
    expect([line.status, file.status]).toEqual([2, 2]);
  });
});

describe("every function of the library checks what it is given:", () => {
  const input = "app";
  const output = "out.sfs";
  // biome-ignore lint/suspicious/noExplicitAny: what a program without types may hand over
  const wrong: any = { ...{} };
  test.each<[string, () => unknown, string]>([
    ["build", () => build({ ...wrong, input, output, threads: 0 }), "threads"],
    ["build, a flag", () => build({ ...wrong, input, output, withLibs: "yes" }), "withLibs"],
    ["build, a list", () => build({ ...wrong, input, output, args: "one" }), "args"],
    ["build, a callback", () => build({ ...wrong, input, output, onReport: "one" }), "onReport"],
    ["pack", () => pack({ ...wrong, input, output, threads: 1.5 }), "threads"],
    ["pack, a codec", () => pack({ ...wrong, input, output, compression: "lzma" }), "compression"],
    ["pack, a way of another codec", () => pack({ input, output, variants: ["x86"] }), "variants"],
    [
      "build, a way of another codec",
      () => build({ input, output, compression: "xz", variants: ["filtered"] }),
      "variants",
    ],
    ["pack, a signal", () => pack({ ...wrong, input, output, signal: {} }), "signal"],
    [
      "assembleBundle",
      () => assembleBundle({ ...wrong, archive: "a", output, invocation: "true" }),
      "invocation",
    ],
    ["dump", () => dump({ ...wrong, input, xattrs: "some" }, () => {}), "xattrs"],
    ["mount", () => mount({ ...wrong, file: "a", directory: "b", type: "nfs" }), "type"],
    ["umount", () => umount("", {}), "directory"],
    ["verify", () => verify("a", { key: "1234" }), "key"],
  ])("%s", async (_, work, key) => {
    const failure = await failureOf(work);
    expect(failure).toMatchObject({ code: "E_OPTION_VALUE", exitStatus: 2 });
    expect(failure.message).toMatch(
      new RegExp(`^${key} does not take this value: expected .*, found `),
    );
  });

  test("and its keys", async () => {
    const failure = await failureOf(() => build({ ...wrong, input, output, thread: 1 }));
    expect(failure).toMatchObject({ code: "E_OPTION_UNKNOWN", hint: "Did you mean threads?" });
  });
});

describe("a value that is no JSON is a value of the wrong type as any other", () => {
  const loop: Record<string, unknown> = {};
  loop["itself"] = loop;
  const odd: [string, unknown, string][] = [
    ["a bigint", 5n, "5n"],
    ["an object that is in itself", loop, "object that is no JSON"],
    ["a symbol", Symbol("x"), "a symbol"],
    ["a function", () => 1, "a function"],
  ];
  test.each(odd)("%s", async (_, value, shown) => {
    const output = path.join(temporaryDirectory(), "out");
    const input = folder({ "app/bin/app": "#!/bin/sh\n" });
    const given = value as never;
    const entry = () => writeImage([{ path: given }], { output });
    for (const [work, code] of [
      [() => build({ input, output, threads: given }), "E_OPTION_VALUE"],
      [() => pack({ input, output, chmod: given }), "E_OPTION_VALUE"],
      [() => build({ input, output, permissions: { devices: given } }), "E_SANDBOX_RULE"],
      [() => build({ input, output, permissions: { fs: { "/a": given } } }), "E_SANDBOX_RULE"],
      [entry, "E_OPTION_VALUE"],
      [() => writeImage([{ path: "a", mode: given }], { output }), "E_PATH_INVALID"],
    ] as const) {
      const failure = await failureOf(work);
      expect(failure).toMatchObject({ code });
      // An entry without a path is shown whole.
      expect(failure.message).toMatch(work === entry ? /found / : shown);
    }
  });
});

test("undefined was not given, null was", () => {
  expect(() => checkOptions("build", { threads: undefined })).not.toThrow();
  expect(() => checkOptions("build", { threads: null })).toThrow(/threads does not/);
});

describe("names of options", () => {
  test("are keys in the library and flags on a command line, in hints too", async () => {
    const dir = folder({ "app/bin/other": "#!/bin/sh\n" });
    const app = path.join(dir, "app");
    const byApi = await failureOf(() => build({ input: app, output: "x", name: "none" }));
    expect(byApi.hint).toBe('Say which one, for example: entry: "bin/app"');
    const { stderr } = await bundle(["build", app, "-o", "x", "--name", "none"]);
    expect(stderr).toContain("Say which one, for example: --entry bin/app");
  });

  test("in the hint of the catalogue", async () => {
    const failure = await failureOf(() => build({ input: folder(), output: "x", entry: "app" }));
    expect(failure.hint).toMatch(/^entry takes a program/);
    const names = flagNames(["build"], "bundle");
    expect(failure.wordsFor(names).hint).toMatch(/^--entry takes a program/);
  });

  test("are those of the command", () => {
    expect(flagNames(["pack"], "bundle")("input")).toBe("DIR");
    expect(flagNames(["build"], "bundle")("input")).toBe("APP");
    expect(flagNames([], "fuselage-bundle")("archive")).toBe("--archive");
    expect(flagNames(["doctor"], "bundle")("entry", "x")).toBe("--entry x");
    expect(flagNames(["build"], "bundle")("SOURCE_DATE_EPOCH")).toBe("SOURCE_DATE_EPOCH");
  });

  test("no message of the library is written with a flag", async () => {
    for (const key of Object.keys(optionRules.build)) {
      const failure = await failureOf(() => checkOptions("build", { [key]: Symbol("none") }));
      expect(failure.message).toMatch(new RegExp(`^${key} does not take this value: expected `));
      expect(failure.expected).not.toMatch(/--/);
    }
  });
});
