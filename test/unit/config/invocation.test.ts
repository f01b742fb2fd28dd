import path from "node:path";
import { describe, expect, test } from "vitest";
import { parseInvocation } from "../../../builder/config/invocation.ts";
import { writeFiles } from "../../support/case.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

test("archives, --run and the program's arguments are told apart", () => {
  const args = ["--static=a:x.sfs", "-d", "dir/b.zip", "-sc:y", "-s=z.b64", "--dynamic-empty", "e"];
  const { archives, run, command } = parseInvocation([
    ...args,
    "--run",
    "a/bin/x",
    "--",
    "-m",
    "y",
  ]);
  const shown = archives.map(({ option, name, fixed, file }) => [option, name, fixed, file]);
  expect(shown).toEqual([
    ["--static", "a", false, "x.sfs"],
    ["--dynamic", "b", false, "dir/b.zip"],
    ["--static", "c", false, "y"],
    ["--static", "z", false, "z.b64"],
    ["--dynamic-empty", "e", false, undefined],
  ]);
  expect([run, command]).toEqual(["a/bin/x", ["-m", "y"]]);
});

test.each<[string, string[], string[]]>([
  ["the first that is none", ["--cache-static", "sh", "--static"], ["sh", "--static"]],
  ["a lone dash", ["-", "x"], ["-", "x"]],
  ["an empty argument", ["", "x"], ["", "x"]],
  ["--", ["--", "--static", "--"], ["--static", "--"]],
  ["what is the program's, behind --run", ["-sa", "--run", "x", "--port", "80"], ["--port", "80"]],
  ["--help behind --run", ["-sa", "--run", "x", "--help"], ["--help"]],
  ["-- behind --run", ["-sa", "--run", "x", "--", "-s"], ["-s"]],
])("options end at %s", (_, args, command) => {
  expect(parseInvocation(args).command).toEqual(command);
});

test("archives may follow --run PATH, as in the first line of a text", () => {
  const { archives, run, command } = parseInvocation([
    "--run",
    "bin/x",
    "--static",
    "a.b64",
    "arg",
  ]);
  expect(archives.map(({ name }) => name)).toEqual(["a"]);
  expect([run, command]).toEqual(["bin/x", ["arg"]]);
});

test("a fixed path and a name of the same spelling are two", () => {
  const args = ["--static=/run/fuselage/a:x", "--static=a:y", "true"];
  expect(parseInvocation(args).archives.map(({ fixed }) => fixed)).toEqual([true, false]);
});

test("the whole is a file first, because names of files may hold a colon", () => {
  const dir = temporaryDirectory();
  writeFiles(dir, { "a/b:c.sfs": "x" });
  const file = path.join(dir, "a/b:c.sfs");
  const [archive] = parseInvocation([`--static=${file}`, "true"]).archives;
  expect(archive).toMatchObject({ name: "b:c", file });
});

test("an ending alone is a name", () => {
  const args = ["-s.sfs", "-sx.tar", "-sy.squashfs", "true"];
  expect(parseInvocation(args).archives.map(({ name }) => name)).toEqual([".sfs", "x.tar", "y"]);
});

describe("what the runner would refuse is refused, and named:", () => {
  test.each<[string[], string, string]>([
    [[], "E_USAGE", "expected a command"],
    [["--"], "E_USAGE", "expected a command"],
    [["--cache-static"], "E_USAGE", "expected a command"],
    [["--nonsense", "true"], "E_USAGE", '"--nonsense"'],
    [["--stat=x", "true"], "E_USAGE", '"--stat=x"'],
    [["-x", "true"], "E_USAGE", '"-x"'],
    [["-hx"], "E_USAGE", '"-hx"'],
    [["--static"], "E_USAGE", '"--static": expected a value'],
    [["-d"], "E_USAGE", '"-d": expected a value'],
    [["--map-root-user=1", "true"], "E_USAGE", "takes no value"],
    [["--run="], "E_USAGE", "expected a path"],
    [["-sa", "--run", "x", "--run", "y"], "E_USAGE", "--run=y: given twice"],
    [["-sa", "--run", "x", "-db", "--run=y"], "E_USAGE", "--run=y: given twice"],
    [["--run", "x"], "E_USAGE", "--run=x: expected at least one archive"],
    [["--help"], "E_USAGE", "would start nothing"],
    [["--version"], "E_USAGE", "would start nothing"],
    [["--mount-type=x", "true"], "E_MOUNT_OPTION", "--mount-type=x"],
    [["--mount-type=", "true"], "E_MOUNT_OPTION", "--mount-type="],
    [["--static=", "true"], "E_ARCHIVE_NAME", '"--static="'],
    [["--static=:x", "true"], "E_ARCHIVE_NAME", '"" cannot be a name'],
    [["--static=.:x", "true"], "E_ARCHIVE_NAME", '"." cannot'],
    [["--static=..:x", "true"], "E_ARCHIVE_NAME", '".." cannot'],
    [["--static=dir/", "true"], "E_ARCHIVE_NAME", '"--static=dir/"'],
    [["--static=/run/fuselage/:x", "true"], "E_ARCHIVE_NAME", "cannot be a name"],
    [["--static=/run/other/a:x", "true"], "E_ARCHIVE_NAME", "cannot be a name"],
    [["--dynamic-empty=a/b", "true"], "E_ARCHIVE_NAME", "cannot be a name"],
    [[`--static=${"n".repeat(256)}:x`, "true"], "E_ARCHIVE_NAME", "cannot be a name"],
    [["--static=a:", "true"], "E_ARCHIVE_OPEN", "no file is named"],
    [["-sa.sfs", "-da.zip", "true"], "E_ARCHIVE_NAME", "taken by --static=a.sfs"],
    [["--dynamic-empty=a", "-sa", "true"], "E_ARCHIVE_NAME", "taken by --dynamic-empty=a"],
  ])("%j", (args, code, text) => {
    const message = expect.stringContaining(text);
    const wanted = expect.objectContaining({ code, message, exitStatus: 2 });
    expect(() => parseInvocation(args)).toThrow(wanted);
  });
});
