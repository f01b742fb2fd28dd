import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { apiExamples, apiProblems, apiReference, readApi } from "../../../scripts/generate/api.mjs";
import { missing, type Need, skipUnless } from "../../support/needs.ts";
import { root, run } from "../../support/process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

type Entry = ReturnType<typeof readApi>[number];

const entries = readApi();

/** What an example says that it prints: behind the lines that print, and in its last lines. */
function expected(code: string): string[] {
  const lines = code.trimEnd().split("\n");
  const end = lines.length - [...lines].reverse().findIndex((line) => !line.startsWith("//"));
  const behind = lines
    .slice(0, end)
    .flatMap((line) => /console\.log\(.*\); \/\/ (.*)$/.exec(line)?.[1] ?? []);
  return [...behind, ...lines.slice(end).map((line) => line.slice(3))];
}

/** What an example needs of the machine, by the function that it is of. */
const needs: Record<string, Need[]> = {
  mount: missing("fuse") === undefined ? ["fuse"] : ["loop"],
  profile: ["fuse"],
};

describe("an example is right:", () => {
  for (const { name, code } of apiExamples(entries)) {
    skipUnless(...(needs[name] ?? []))(name, async () => {
      const dir = temporaryDirectory();
      cpSync(path.join(root, "examples/hello"), path.join(dir, "hello"), { recursive: true });
      mkdirSync(path.join(dir, "node_modules"));
      symlinkSync(root, path.join(dir, "node_modules/fuselage-bundle"));
      writeFileSync(path.join(dir, "example.mjs"), code);
      const env = {
        HOME: dir,
        XDG_CACHE_HOME: undefined,
        GNUPGHOME: undefined,
        LANG: "C",
        LC_ALL: undefined,
      };
      const { stdout, stderr, status } = await run(process.execPath, ["example.mjs"], {
        cwd: dir,
        env,
      });
      expect(status, stderr).toBe(0);
      expect(expected(code)).not.toEqual([]);
      expect(stdout.trimEnd().split("\n")).toEqual(expected(code));
    });
  }
});

test("every function that the package really exports is described, and nothing else", async () => {
  const described = entries.filter(({ sort }) => sort !== "type").map(({ name }) => name);
  const classes = entries.filter(({ name }) => name === "BundleError").map(({ name }) => name);
  expect([...described, ...classes].sort()).toEqual(
    Object.keys(await import(path.join(root, "dist/index.js"))).sort(),
  );
});

test("the reference has a heading for each export, and a row for each property", () => {
  const text = apiReference(entries);
  for (const { name, properties } of entries) {
    expect(text).toContain(`\n### ${name}\n`);
    for (const property of properties) {
      expect(text).toMatch(new RegExp(`^\\| \`${property.name}\\??\` \\|`, "m"));
    }
  }
  expect(entries.length).toBeGreaterThan(40);
});

describe("what is missing is a problem:", () => {
  const sound: Entry = {
    name: "open",
    sort: "function",
    declaration: "open(options: Options): void",
    about: "Opens it.",
    tags: [{ name: "example", text: "```js\nopen();\n```" }],
    properties: [],
  };
  const options: Entry = {
    ...sound,
    name: "Options",
    sort: "type",
    declaration: "Options",
    tags: [],
    properties: [{ name: "file", optional: false, type: "string", about: "What is opened." }],
  };

  test("nothing", () => {
    expect(apiProblems([sound, options])).toEqual([]);
    expect(apiProblems(entries)).toEqual([]);
  });

  test.each<[string, Partial<Entry>, string]>([
    ["a comment", { about: "" }, "open has no comment"],
    ["an example", { tags: [] }, "open has no example"],
    ["code in it", { tags: [{ name: "example", text: "open();" }] }, "open has no example"],
  ])("%s", (_, change, problem) => {
    expect(apiProblems([{ ...sound, ...change }, options])).toEqual([
      `builder/index.ts: ${problem}`,
    ]);
  });

  test("a property's comment, and a type that is not exported", () => {
    const properties = [{ name: "mode", optional: true, type: "Mode[]", about: "" }];
    expect(apiProblems([sound, { ...options, properties }])).toEqual([
      "builder/index.ts: Options.mode has no comment",
      "builder/index.ts: Options names Mode, which is not exported",
    ]);
    expect(apiProblems([sound])).toEqual([
      "builder/index.ts: open names Options, which is not exported",
    ]);
  });
});
