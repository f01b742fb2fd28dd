/** Decorators are what the app's own compiler makes of them: with types, without, and standard ones. */
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { nodeApp } from "../support/node-app.ts";
import { bundle, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const options = { target: "es2022", module: "commonjs", skipLibCheck: true };
const typed = { ...options, experimentalDecorators: true, emitDecoratorMetadata: true };

/** Compilers read all that they know of the language first, ms; beside other tests that takes its time. */
const PATIENCE = 150_000;
vi.setConfig({ testTimeout: 2 * PATIENCE, hookTimeout: PATIENCE });

/** All that is installed, once: what npm takes is not the time of the first test. */
let all = "";
beforeAll(async () => {
  all = await nodeApp(path.join(import.meta.dirname, "decorators"));
});

interface App {
  dir: string;
  /** Where all that is installed lies, compilers too. */
  installed: string;
}

/** The app with some of its packages. */
function app(compilerOptions: object, ...packages: string[]): App {
  const dir = path.join(temporaryDirectory(), "app");
  const installed = path.join(all, "node_modules");
  cpSync(path.join(all, "src"), path.join(dir, "src"), { recursive: true });
  cpSync(path.join(all, "package.json"), path.join(dir, "package.json"));
  mkdirSync(path.join(dir, "node_modules"));
  for (const name of ["reflect-metadata", ...packages])
    symlinkSync(path.join(installed, name), path.join(dir, "node_modules", name));
  writeFileSync(path.join(dir, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  return { dir, installed };
}

/** What a program prints that tsc has compiled; mistakes in types are none here. */
async function byTsc({ dir, installed }: App, name: string): Promise<string> {
  const tsc = path.join(installed, "typescript/bin/tsc");
  const { status } = await run(process.execPath, [tsc, "--outDir", "out"], {
    cwd: dir,
    timeout: PATIENCE,
  });
  // Not killed.
  expect(status).not.toBeNull();
  return printed(path.join(dir, "out", name));
}

/** The same by SWC, file by file. */
async function bySwc({ dir, installed }: App, name: string): Promise<string> {
  const { transformSync } = createRequire(`${installed}/`)("@swc/core") as {
    transformSync(text: string, options: object): { code: string };
  };
  mkdirSync(path.join(dir, "out"));
  for (const file of readdirSync(path.join(dir, "src"))) {
    const { code } = transformSync(readFileSync(path.join(dir, "src", file), "utf8"), {
      module: { type: "commonjs" },
      swcrc: false,
      jsc: {
        target: "es2022",
        parser: { syntax: "typescript", decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
      },
    });
    writeFileSync(path.join(dir, "out", file.replace(/ts$/, "js")), code);
  }
  return printed(path.join(dir, "out", name));
}

async function printed(program: string): Promise<string> {
  const { stdout, stderr, status } = await run(process.execPath, [program]);
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  return stdout;
}

async function bundled({ dir }: App, entry: string) {
  const out = `${dir}.run`;
  const args = ["build", dir, "--entry", entry, "-o", out, "--node", "none"];
  const built = await bundle(args, { timeout: PATIENCE });
  expect(built).toMatchObject({ status: 0 });
  const { stdout, stderr, status } = await run(out, [], { env: { FUSELAGE_LINGER: "0" } });
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  return { said: built.stdout + built.stderr, stdout };
}

test.each([
  ["of the whole program", typed],
  ["of each file for itself", { ...typed, isolatedModules: true }],
  ["and fields of an older target", { ...typed, target: "es2020" }],
  ["and modules of Node", { ...typed, module: "nodenext" }],
])("TypeScript says the types %s", async (_, given) => {
  const made = app(given, "typescript");
  const { stdout } = await bundled(made, "src/main.ts");
  expect(stdout).toBe(await byTsc(made, "main.js"));
  expect(stdout).toContain('Service. undefined paramtypes ["Store"');
});

test("SWC says the types", async () => {
  const made = app(typed, "@swc");
  // SWC asks for the class of a circular import before it is there.
  const later = path.join(made.dir, "src/later.ts");
  const text = readFileSync(later, "utf8").replace("import { Service }", "import type { Service }");
  writeFileSync(later, text);
  const { stdout } = await bundled(made, "src/main.ts");
  expect(stdout).toBe(await bySwc(made, "main.js"));
  expect(stdout).toContain('Service. undefined paramtypes ["Store"');
});

test.each([
  ["those of today", {}],
  ["those of an older target", { target: "es2020" }],
])("standard decorators: %s", async (_, more) => {
  const made = app({ ...options, ...more }, "typescript");
  const { stdout, said } = await bundled(made, "src/standard.ts");
  expect(stdout).toBe(await byTsc(made, "standard.js"));
  expect(said).not.toContain("W_DECORATOR_TYPES");
});

test("types for standard decorators are a warning, for nothing gives them any", async () => {
  const made = app({ ...options, emitDecoratorMetadata: true }, "typescript");
  const { stdout, said } = await bundled(made, "src/standard.ts");
  expect(said).toMatch(/standard\.ts: emitDecoratorMetadata is left out.*W_DECORATOR_TYPES/);
  expect(stdout).toContain("Derived of Derived");
});
