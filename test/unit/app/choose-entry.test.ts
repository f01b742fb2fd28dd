import { describe, expect, test } from "vitest";
import { chooseEntry } from "../../../builder/app/choose-entry.ts";
import { parsedMaps } from "../../../builder/manifest/folder-map.ts";
import { directoryNode, fileNode, symlinkNode } from "../../../builder/tree/node.ts";
import { Tree } from "../../../builder/tree/tree.ts";

const program = () => fileNode("#!/bin/sh\n", { mode: 0o755 });
const text = () => fileNode("text");

/** "path" is a program, "path -> target" a link, "path =" a file that is not executable, "path/" a folder. */
function tree(...lines: string[]): Tree {
  const made = new Tree();
  for (const line of lines) {
    const [path = "", mark, target = ""] = line.split(" ");
    if (mark === "->") made.add(path, symlinkNode(target));
    else if (mark === "=") made.add(path, text());
    else if (path.endsWith("/")) made.add(path.slice(0, -1), directoryNode());
    else made.add(path, program());
  }
  return made;
}

const choose = (from: Tree, entry?: string) =>
  chooseEntry(from, { dir: "app", entry, name: "app" });

describe("without --entry the program is", () => {
  test.each<[string, string[], string]>([
    ["AppRun before all", ["AppRun", "bin/app", "other"], "AppRun"],
    ["AppRun also when it is a link", ["AppRun -> usr/bin/x", "usr/bin/x", "other"], "AppRun"],
    ["bin/NAME before others", ["bin/app", "bin/tool", "setup"], "bin/app"],
    ["the only one of the root", ["server", "readme =", "lib/helper"], "server"],
    ["the only one of bin/", ["bin/server", "lib/helper"], "bin/server"],
    ["the only one beside a bin/NAME that cannot run", ["bin/app =", "start"], "start"],
    ["the program, not the links to it", ["bin/a -> z", "bin/b -> z", "bin/z"], "bin/z"],
    ["a link when the program is elsewhere", ["start -> lib/x/main", "lib/x/main"], "start"],
    ["in a bin/ that is a link", ["bin -> usr/bin", "usr/bin/app"], "bin/app"],
    ["not a shared library", ["start", "libz.so", "bin/libz.so.1.3"], "start"],
  ])("%s", (_, lines, entry) => {
    expect(choose(tree(...lines))).toBe(entry);
  });

  test("asked for when several could be meant, which are listed", () => {
    expect(() => choose(tree("a", "b", "bin/c", "lib/d"))).toThrow(
      expect.objectContaining({
        code: "E_ENTRY_AMBIGUOUS",
        message: expect.stringContaining("a, b, bin/c"),
      }),
    );
  });

  test("asked for when there is none", () => {
    const code = "E_ENTRY_NONE";
    expect(() => choose(tree("data =", "lib/d"))).toThrow(expect.objectContaining({ code }));
  });

  test("an error when AppRun cannot run", () => {
    const code = "E_ENTRY_NOT_EXECUTABLE";
    expect(() => choose(tree("AppRun =", "bin/app"))).toThrow(expect.objectContaining({ code }));
  });
});

describe("--entry", () => {
  const app = tree(
    "bin/app",
    "bin/link -> app",
    "bin/chain -> ../bin/link",
    "bin/notes =",
    "bin/up -> ../../etc/passwd",
    "bin/absolute -> /bin/sh",
    "bin/circle -> circle",
    "empty/",
  );

  test.each([
    ["bin/app", "bin/app"],
    ["./bin//app", "bin/app"],
    ["bin/link", "bin/link"],
    ["bin/chain", "bin/chain"],
    ["empty/../bin/app", "bin/app"],
  ])("%s starts %s", (given, entry) => {
    expect(choose(app, given)).toBe(entry);
  });

  test.each([
    ["nothing", "E_ENTRY_MISSING"],
    ["bin/app/more", "E_ENTRY_MISSING"],
    ["bin/circle", "E_ENTRY_MISSING"],
    ["bin/notes", "E_ENTRY_NOT_EXECUTABLE"],
    ["bin", "E_ENTRY_NOT_FILE"],
    [".", "E_ENTRY_NOT_FILE"],
    ["/bin/sh", "E_ENTRY_OUTSIDE"],
    ["../app", "E_ENTRY_OUTSIDE"],
    ["bin/../../app", "E_ENTRY_OUTSIDE"],
    ["bin/up", "E_ENTRY_OUTSIDE"],
    ["bin/absolute", "E_ENTRY_OUTSIDE"],
  ])("%s is refused with %s", (given, code) => {
    expect(() => choose(app, given)).toThrow(expect.objectContaining({ code }));
  });

  describe("by links to where folders of the tree appear", () => {
    const mapped = tree(
      "store/abc/bin/app",
      "store/abc/bin/other -> /nix/store/abc/bin/app",
      "store/round -> /nix/store/circle",
      "store/circle -> /nix/store/round",
      "store/out -> /nix/store/../../bin/sh",
      "bin/app -> /nix/store/abc/bin/app",
      "bin/twice -> /nix/store/abc/bin/other",
      "bin/chain -> app",
      "bin/round -> /nix/store/round",
      "bin/out -> /nix/store/out",
      "bin/gone -> /nix/store/gone",
      "profile -> /nix/store/abc",
    );
    const maps = parsedMaps(["store=/nix/store"]);
    const among = (entry?: string) => chooseEntry(mapped, { dir: "app", entry, name: "app", maps });

    test.each(["bin/app", "bin/twice", "bin/chain", "profile/bin/app", "profile/bin/other"])(
      "%s starts the program",
      (given) => {
        expect(among(given)).toBe("store/abc/bin/app");
      },
    );

    test("the program with the bundle's name is found by one", () => {
      expect(among()).toBe("store/abc/bin/app");
    });

    test.each([
      ["bin/round", "E_ENTRY_MISSING"],
      ["bin/gone", "E_ENTRY_MISSING"],
      ["bin/out", "E_ENTRY_OUTSIDE"],
    ])("%s is refused with %s", (given, code) => {
      expect(() => among(given)).toThrow(expect.objectContaining({ code }));
      expect(() => choose(mapped, "bin/app")).toThrow(
        expect.objectContaining({ code: "E_ENTRY_OUTSIDE" }),
      );
    });
  });

  test("may be the interpreter of a venv, which is a link to the machine's", () => {
    const venv = tree(
      "venv/pyvenv.cfg =",
      "venv/bin/python3 -> /usr/bin/python3",
      "venv/bin/python -> python3",
      "venv/bin/up -> ../../../usr/bin/python3",
      "bin/python3 -> /usr/bin/python3",
    );
    expect(choose(venv, "venv/bin/python3")).toBe("venv/bin/python3");
    expect(choose(venv, "./venv/bin//python")).toBe("venv/bin/python");
    for (const outside of ["venv/bin/up", "bin/python3", "bin/../venv/bin/python3"]) {
      expect(() => choose(venv, outside)).toThrow(
        expect.objectContaining({ code: "E_ENTRY_OUTSIDE" }),
      );
    }
  });

  test("with the folder's name in it gets a hint", () => {
    expect(() => choose(app, "app/bin/app")).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('entry: "bin/app"') }),
    );
  });

  test("may have a name that is not ASCII", () => {
    const made = new Tree();
    made.add(Buffer.from("grüße").toString("latin1"), program());
    expect(Buffer.from(choose(made, "grüße"), "latin1").toString()).toBe("grüße");
  });
});
