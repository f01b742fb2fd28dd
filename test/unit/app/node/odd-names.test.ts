/** What package.json and sources may name, as far as a file system has no such thing. */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { explain } from "../../../../builder/api/build.ts";
import { type Files, writeFiles } from "../../../support/case.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

const long = "n".repeat(300);
const names: [string, string][] = [
  ["below a file", "index.js/below"],
  ["too long", long],
  ["below what is too long", `${long}/below`],
  ["with a NUL", "a\0b"],
  ["below a link to itself", "loop/below"],
];

/** What is said of an app, or the code of its failure. */
async function outcome(files: Files, fifos: readonly string[] = []): Promise<string> {
  const input = temporaryDirectory();
  writeFiles(input, { "index.js": "console.log(1);\n", loop: { link: "loop" }, ...files });
  for (const name of fifos) {
    mkdirSync(path.join(input, path.dirname(name)), { recursive: true });
    execFileSync("mkfifo", [path.join(input, name)]);
  }
  return explain({ input, kind: "node" }).then(
    ({ entry }) => `starts ${entry}`,
    ({ code }: { code: string }) => code,
  );
}

const json = (more: object) => ({
  "package.json": JSON.stringify({ name: "a", version: "1.0.0", main: "index.js", ...more }),
});

describe("a name that leads nowhere", () => {
  test.each(names)("as main, %s", async (_, main) => {
    expect(await outcome(json({ main }))).toBe("E_ENTRY_MISSING");
  });
  test.each(names)("as a program, in scripts.start and as a dependency, %s", async (_, name) => {
    const more = { bin: { a: name }, dependencies: { [name]: "1" } };
    expect(await outcome(json(more))).toMatch(/^(starts |E_ENTRY_MISSING|E_NODE_)/);
    const scripts = { start: `node ${name.replace("\0", "")}` };
    expect(await outcome(json({ main: undefined, scripts }))).toMatch(/^(starts |E_ENTRY_)/);
  });
  test.each(names)("in a source, %s", async (_, name) => {
    const text = JSON.stringify(name);
    const source = `try { require(${text}) } catch {}\ntry { require("./" + ${text}) } catch {}
      try { require("fs").readFileSync(require("path").join(__dirname, ${text})) } catch {}\n`;
    expect(await outcome({ ...json({}), "index.js": source })).toMatch(/^(starts |E_NODE_BUNDLE$)/);
  });
  test("of what the machine has is not packed", async () => {
    const input = temporaryDirectory();
    const folders = ["/proc/self/fd", "/sys/kernel/mm", "/dev/fd", "/run", "/etc", "/usr/lib"];
    const files = ["/proc/self/status", "/etc/shadow", "/etc/hostname", "/bin/sh"];
    const opened = [...folders, ...files];
    const source = [
      ...folders.map((name) => `require("fs").readdirSync("${name}");\n`),
      ...files.map((name) => `require("fs").readFileSync("${name}");\n`),
    ].join("");
    const own = 'require("fs").readdirSync(__dirname + "/assets");\n';
    writeFiles(input, { ...json({}), "index.js": source + own, "assets/one": "1" });
    for (const bundle of ["fast", "none"] as const) {
      const { lines } = await explain({ input, kind: "node", node: "none", bundle });
      const packed = lines.filter((line) => opened.some((name) => line.includes(name)));
      expect(packed).toEqual([]);
    }
  });
  test("below a file that is called node_modules", async () => {
    const source = 'try { require("x") } catch {}\n';
    const files = { ...json({}), "index.js": source, node_modules: "a file\n" };
    expect(await outcome(files)).toMatch(/^starts /);
  });
  test.each(names)("as the app itself, %s", async (_, name) => {
    const input = temporaryDirectory();
    writeFiles(input, { "index.js": "", loop: { link: "loop" } });
    await expect(explain({ input: `${input}/${name}` })).rejects.toMatchObject({
      code: expect.stringMatching(/^E_(INPUT_MISSING|FILE_UNREADABLE|OPTION_VALUE)$/),
    });
  });
});

describe("a package.json", () => {
  test("whose fields are of other types", async () => {
    const odd = { name: 5, version: [], main: {}, bin: [1], scripts: 7, dependencies: "x", os: 1 };
    expect(await outcome(json({ ...odd, imports: [], engines: "x", type: 3 }))).toMatch(/^starts /);
    const within = { bin: { a: 1 }, scripts: { start: 1 }, dependencies: { a: null } };
    expect(await outcome(json(within))).toMatch(/^starts /);
  });
  test("that is a fifo is not waited for", async () => {
    expect(await outcome({}, ["package.json"])).toBe("E_FILE_UNREADABLE");
    const source = 'try { require("x") } catch {}\n';
    const files = { ...json({ dependencies: { x: "1" } }), "index.js": source };
    // Node does not read it either.
    expect(await outcome(files, ["node_modules/x/package.json"])).toMatch(/^starts /);
  });
});

describe("settings that a compiler would read for ever", () => {
  const source = { ...json({ main: "index.ts" }), "index.ts": 'import "./below/more.ts";\n' };
  const files = { ...source, "below/more.ts": "console.log(1);\n" };
  test.each([
    "tsconfig.json",
    "jsconfig.json",
    "tsconfig.base.json",
    "below/tsconfig.json",
    "below/package.json",
  ])("%s that is a fifo is not waited for", async (name) => {
    expect(await outcome(files, [name])).toBe("E_FILE_UNREADABLE");
  });
  test.each(["/dev/zero", "fifo"])("tsconfig.json that is a link to %s", async (link) => {
    expect(await outcome({ ...files, "tsconfig.json": { link } }, ["fifo"])).toBe(
      "E_FILE_UNREADABLE",
    );
  });
  test("above the folder of the app too", async () => {
    const above = temporaryDirectory();
    writeFiles(path.join(above, "app"), files);
    execFileSync("mkfifo", [path.join(above, "tsconfig.json")]);
    await expect(explain({ input: path.join(above, "app"), kind: "node" })).rejects.toMatchObject({
      code: "E_FILE_UNREADABLE",
      path: path.join(above, "tsconfig.json"),
    });
  });
  test("folders and links to nothing by such names are passed over", async () => {
    const odd = { "tsconfig.json/file": "", "jsconfig.json": { link: "nowhere" } };
    expect(await outcome({ ...files, ...odd })).toMatch(/^starts /);
  });
});
