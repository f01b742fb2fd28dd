import { describe, expect, test } from "vitest";
import { parseAlias, parseCommandLine } from "../../../builder/cli/parse.ts";
import type { BundleError } from "../../../builder/errors.ts";

function parsed(...argv: string[]) {
  const request = parseCommandLine(argv);
  if (request.kind !== "run") throw new Error(`this asks for ${request.kind}`);
  return request;
}

test("options and arguments may stand in any order", () => {
  const { command, args } = parsed("build", "-o", "out", "app", "--json", "--arg=--x", "--arg=");
  expect(command).toBe("build");
  expect(args.positionals).toEqual(["app"]);
  expect(args.text("output")).toBe("out");
  expect(args.flag("json")).toBe(true);
  expect(args.flag("devices")).toBe(false);
  expect(args.list("arg")).toEqual(["--x", ""]);
  expect(args.list("env")).toEqual([]);
});

test("what follows -- is an argument", () => {
  expect(parsed("inspect", "--", "--json").args.positionals).toEqual(["--json"]);
});

test("a command with a rest takes all behind -- as it stands", () => {
  const line = ["--archive=a", "-o", "b", "--json", "--", "--static=x", "--", "--json", ""];
  const { command, args } = parsed("assemble", ...line);
  expect([command, args.text("archive"), args.flag("json")]).toEqual(["assemble", "a", true]);
  expect(args.rest).toEqual(["--static=x", "--", "--json", ""]);
  expect(parseAlias(line)).toEqual({ kind: "run", command: "assemble", args });
  expect(parseAlias(["--version"])).toEqual({ kind: "version" });
  expect(parseAlias(["-h"])).toEqual({ kind: "help", command: "assemble" });
  expect(parseAlias([...line.slice(0, 5), "--help"])).toMatchObject({ kind: "run" });
});

describe("help and version are answered", () => {
  test.each([
    [["--help"], { kind: "help", command: undefined }],
    [["-h"], { kind: "help", command: undefined }],
    [["build", "--help"], { kind: "help", command: "build" }],
    [["build", "--nonsense", "-h"], { kind: "help", command: "build" }],
    [["--version"], { kind: "version" }],
  ])("%j", (argv, request) => {
    expect(parseCommandLine(argv)).toEqual(request);
  });
});

test("options of a start are a value, whatever they look like", () => {
  const line = ["build", "app", "-o", "out", "--root", "--run", "-v ~/data:/data --read-only"];
  const { args } = parsed(...line, "--run", "--pid");
  expect(args.list("run")).toEqual(["-v ~/data:/data --read-only", "--pid"]);
  expect(() => parsed("build", "app", "-o", "out", "--entry", "-v a")).toThrow(
    expect.objectContaining({ code: "E_OPTION_VALUE" }),
  );
});

test("a value behind a blank is said to stand behind =", () => {
  const hintOf = (...argv: string[]) => {
    try {
      return parsed("build", ...argv).command;
    } catch (error) {
      return (error as BundleError).hint;
    }
  };
  expect(hintOf("a", "-o", "x", "--sandbox", "net:all")).toContain("--sandbox=net:all");
  expect(hintOf("--sandbox", "net:all", "a", "-o", "x")).toContain("--sandbox=net:all");
  expect(hintOf("a", "b", "-o", "x", "--sandbox")).toBe("build");
  expect(hintOf("a", "b", "-o", "x", "--sandbox", "c")).toContain("--sandbox=c");
  expect(hintOf("--sandbox", "a", "-o", "x")).toBe("build");
});

describe("a wrong line is refused:", () => {
  test.each([
    [[], "E_ARGUMENT"],
    [["biuld"], "E_COMMAND_UNKNOWN"],
    [["--nonsense"], "E_OPTION_UNKNOWN"],
    [["diff", "a"], "E_ARGUMENT"],
    [["check", "a", "b"], "E_ARGUMENT"],
    [["pack", "a"], "E_OPTION_MISSING"],
    [["build", "a", "-o"], "E_OPTION_VALUE"],
    [["build", "a", "-o", "--json"], "E_OPTION_VALUE"],
    [["build", "a", "-o", "x", "-o", "y"], "E_OPTION_CONFLICT"],
    [["build", "a", "-o", "x", "--json=yes"], "E_OPTION_VALUE"],
    [["build", "a", "-o", "x", "--nonsense"], "E_OPTION_UNKNOWN"],
    [["build", "a", "-o", "x", "-z"], "E_OPTION_UNKNOWN"],
    [["assemble", "--archive=a", "-o", "b"], "E_ARGUMENT"],
    [["assemble", "--archive=a", "-o", "b", "--"], "E_ARGUMENT"],
    [["assemble", "--archive=a", "-o", "b", "true"], "E_ARGUMENT"],
    [["assemble", "--archive=a", "--", "-o", "b"], "E_OPTION_MISSING"],
    [["assemble", "--version"], "E_OPTION_UNKNOWN"],
  ])("%j", (argv, code) => {
    expect(() => parseCommandLine(argv)).toThrow(expect.objectContaining({ code, exitStatus: 2 }));
  });

  // Whoever takes an option from another command finds out how this one is written.
  test.each([
    [["extract", "a", "-o", "b"], "It is bundle extract FILE [PATH]... [-d DIR]"],
    [["inspect", "a", "--zzz"], "`bundle inspect --help` lists the options"],
    [["doctor", "--zzz"], "`bundle doctor --help` lists the options"],
    [["build", "a", "-o", "b", "--shebang=c"], "It is an option of `bundle pack`. "],
    [["cat", "a", "b", "--runtime-bundle=c"], "It is an option of `bundle export`. "],
    [["--zzz"], "`bundle --help` lists the commands and options"],
  ])("%j, with how the command is written", (argv, hint) => {
    expect(() => parseCommandLine(argv)).toThrow(
      expect.objectContaining({
        code: "E_OPTION_UNKNOWN",
        hint: expect.stringContaining(hint) as unknown,
      }),
    );
  });

  test.each([
    [["biuld"], "bundle build"],
    [["build", "a", "--ouptut", "x"], "--output"],
    [["build", "a", "-o", "x", "--compresion", "none"], "--compression"],
  ])("%j, with the name that was meant", (argv, name) => {
    expect(() => parseCommandLine(argv)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining(name) }),
    );
  });
});
