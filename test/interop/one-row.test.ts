/**
 * One row makes an option, a strategy, an error, a machine: those of docs/ARCHITECTURE.md, "Adding one of each",
 * are added to a copy of the checkout, which is built and asked for them.
 *
 * The copy is an overlay over the checkout, at the same path: what was compiled before is still good.
 */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { skipUnless } from "../support/needs.ts";
import { isRoot, type Outcome, root, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const check = skipUnless(isRoot ? "root" : "userns");
const dir = temporaryDirectory();
const upper = path.join(dir, "upper");
const work = path.join(dir, "work");

/** Runs a command in the copy. */
function inside(...command: string[]): Promise<Outcome> {
  const namespaces = ["--mount", ...(isRoot ? [] : ["--user", "--map-root-user"])];
  // What hides a folder of the checkout is an extended attribute; one in trusted.* is for root alone.
  const attributes = isRoot ? "" : ",userxattr";
  const layers = `lowerdir=${root},upperdir=${upper},workdir=${work}${attributes}`;
  const script = 'mount -t overlay none -o "$1" "$2" && cd "$2" && shift 2 && exec "$@"';
  const args = [...namespaces, "sh", "-c", script, "sh", layers, root, ...command];
  return run("unshare", args, { timeout: 280_000 });
}

interface Addition {
  file: string;
  where: "before" | "behind";
  anchor: string;
  text: string;
}

/** What the page shows: "In `FILE`, behind the row `NAME`" or "before the line `LINE`", then a block. */
function additions(): Addition[] {
  const page = readFileSync(path.join(root, "docs/ARCHITECTURE.md"), "utf8");
  const found = page.matchAll(
    /In `([^`]+)`, (before|behind) the (?:row|line) `([^`]+)`[^`]*?:\n\n```\w+\n(.*?)^```$/gms,
  );
  return [...found].map(([, file = "", where, anchor = "", text = ""]) => {
    return { file, where: where as Addition["where"], anchor, text };
  });
}

/** Puts a row behind the one that has a name or a code, wherever in the data that is. */
function withRow(data: unknown, anchor: string, row: unknown): number {
  if (typeof data !== "object" || data === null) return 0;
  if (!Array.isArray(data)) {
    return Object.values(data).reduce((sum, one) => sum + withRow(one, anchor, row), 0);
  }
  const at = data.findIndex((one) => one?.name === anchor || one?.code === anchor);
  if (at >= 0) data.splice(at + 1, 0, row);
  return (at >= 0 ? 1 : 0) + data.reduce((sum, one) => sum + withRow(one, anchor, row), 0);
}

function added(before: string, { file, where, anchor, text }: Addition): string {
  if (file.endsWith(".json")) {
    const data = JSON.parse(before);
    expect(withRow(data, anchor, JSON.parse(text)), `${anchor} in ${file}`).toBe(1);
    return `${JSON.stringify(data, null, 2)}\n`;
  }
  const lines = before.split("\n");
  const places = lines.flatMap((line, index) => (line.trim() === anchor ? [index] : []));
  expect(places, `${anchor} in ${file}`).toHaveLength(1);
  lines.splice((places[0] ?? 0) + (where === "behind" ? 1 : 0), 0, text.trimEnd());
  return lines.join("\n");
}

const runner = (...args: string[]) =>
  inside("sh", "-c", 'exec dist/runtime/"$(uname -m)"/fuselage "$@"', "sh", ...args);
const builder = (...args: string[]) => inside(process.execPath, "dist/cli/main.js", ...args);

describe("a row of each, and the lines that act on it", () => {
  beforeAll(async () => {
    mkdirSync(work, { recursive: true });
    for (const addition of additions()) {
      const copy = path.join(upper, addition.file);
      const before = readFileSync(path.join(root, addition.file), "utf8");
      mkdirSync(path.dirname(copy), { recursive: true });
      writeFileSync(copy, added(before, addition));
    }
    const parts = ["runtime", "dist", "types"];
    const built = await inside(process.execPath, "scripts/build.mjs", ...parts);
    expect(built.status, built.stderr).toBe(0);
  });

  afterAll(() => {
    // The kernel's own folder, which nobody may read.
    chmodSync(path.join(work, "work"), 0o700);
  });

  check("are those of the page", () => {
    expect(additions().map(({ file }) => path.basename(file))).toEqual([
      "options.json",
      "runner_options.c",
      "strategies.json",
      "strategies.c",
      "errors.json",
      "machines.json",
    ]);
  });

  check("make an option that the runner takes, and everyone knows", async () => {
    const { stdout: help } = await runner("--help");
    expect(help).toMatch(/--compliment TEXT\s+a note for whoever reads the command line/);
    const { stdout: version } = await inside("cat", "package.json");
    expect(await runner("--compliment=x", "--version")).toMatchObject({
      status: 0,
      stdout: `fuselage ${JSON.parse(version).version}\n`,
    });
    const { stdout: texts } = await inside("cat", "docs/cli.md", "dist/man/fuselage.1");
    expect(texts.match(/compliment.*TEXT/g)).toHaveLength(2);
    const { stdout: completions } = await builder("completions", "bash");
    expect(completions).toContain("--compliment");
  });

  check(
    "make a strategy that is asked for by name, tried, and examined by the doctor",
    async () => {
      const image = path.join(dir, "image.sfs");
      const folder = path.join(root, "examples/hello");
      expect(await builder("pack", folder, "-o", image)).toMatchObject({ status: 0 });
      const start = await runner("--mount-type=wish", `--static=a:${image}`, "true");
      expect(start.status).toBe(125);
      expect(start.stderr).toContain("wish: wishing mounts nothing");
      const { stdout } = await runner(`--static=a:${image}`, "--doctor=json");
      const findings: { strategy: string; reason?: string }[] = JSON.parse(stdout);
      const names = findings.map(({ strategy }) => strategy);
      expect(names).toEqual(["loop", "fuse", "fusermount", "extract", "wish"]);
      expect(findings.at(-1)?.reason).toBe("wishing mounts nothing");
      const { stderr } = await runner("--mount-type=hope", `--static=a:${image}`, "true");
      expect(stderr).toContain("expected auto, loop, fuse, fusermount, extract or wish");
    },
  );

  check("make an error that the runner prints with its hint, and the page lists", async () => {
    const { status, stderr } = await runner("--compliment=", "true");
    expect(status).toBe(125);
    expect(stderr).toBe(
      "fuselage: [E_COMPLIMENT] --compliment: expected text, found none\n" +
        "  Write it behind --compliment, or leave the option out.\n",
    );
    const { stdout: page } = await inside("cat", "docs/errors.md");
    expect(page).toContain("| `E_COMPLIMENT` | runtime | 125 | A note has no text. |");
  });

  check("make a machine that the builder knows", async () => {
    const { stdout: help } = await builder("build", "--help");
    expect(help.replace(/\s+/g, " ")).toContain("x86_64, aarch64, riscv64 or ppc64le");
    const { stderr } = await builder("runtime", "--arch", "ppc64le");
    expect(stderr).toContain("E_RUNTIME_MISSING");
    expect(stderr).toContain("ppc64le");
    const { stderr: unknown } = await builder("runtime", "--arch", "sparc");
    expect(unknown).toContain("expected x86_64, aarch64, riscv64, ppc64le");
  });

  check("leave nothing stale, and nothing in the checkout", async () => {
    // The page of the API is made of types, the others of rows.
    const command = [process.execPath, "scripts/check.mjs", "--fix", "generated", "docs", "floors"];
    expect(await inside(...command)).toMatchObject({ status: 0 });
    expect(readFileSync(path.join(root, "docs/cli.md"), "utf8")).not.toContain("--compliment");
  });
});
