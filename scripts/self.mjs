// Packs the `bundle` command into a bundle, build/bundle.run: a builder for machines without Node.
//
//   npm run bundle:self [-- OUT]

import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { builtPackage } from "./build/dist.mjs";
import { setup } from "./setup.mjs";

const root = path.resolve(import.meta.dirname, "..");

/** What a checkout has beside the published package. */
const unpublished = [
  ".*",
  "*.config.ts",
  "biome.json",
  "build",
  "builder",
  "compile_commands.json",
  "dist/**/*.d.ts",
  "examples",
  "native",
  "package-lock.json",
  "runtime",
  "scripts",
  "test",
  "tsconfig*.json",
];

/**
 * @param {string} output file to write, in the checkout too
 * @param {Pick<import("../builder/index.ts").BuildOptions, "level" | "onProgress">} options as `build` takes them
 * @returns what `build` of the package returns
 */
export async function packSelf(output, options = {}) {
  const { build } = await builtPackage();
  // A bundle is never written into the folder that is packed.
  const work = mkdtempSync(path.join(os.tmpdir(), "fuselage-self-"));
  try {
    const made = path.join(work, "bundle.run");
    const result = await build({
      input: root,
      output: made,
      kind: "node",
      name: "bundle",
      entry: "dist/cli/main.js",
      // It finds its parts, the addon and the runtimes, from where they lie.
      bundle: "none",
      // The Node that runs it is the one that it packs without a network, so that stays as it came.
      libc: "host",
      exclude: unpublished,
      ...options,
      onReport: (line) => console.error(line),
    });
    mkdirSync(path.dirname(output), { recursive: true });
    copyFileSync(made, `${output}.new`);
    renameSync(`${output}.new`, output);
    return result;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await setup({ other: true });
  const output = process.argv[2] ?? path.join(root, "build/bundle.run");
  const { size, summary } = await packSelf(output);
  console.log(`${path.relative(process.cwd(), output)}: ${(size / (1 << 20)).toFixed(1)} MiB`);
  console.log(summary);
}
