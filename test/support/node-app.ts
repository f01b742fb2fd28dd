/** Node apps of the tests: sources beside their case, packages installed once for each package.json. */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { root, run } from "./process.ts";

/** Folder of the installed apps, by name and digest of package.json. */
const installed = path.join(root, "build/apps");

/**
 * The app of a case, ready to be packed: the files of `app/` beside it, with its packages from the
 * registry that npm is configured for. Scripts of packages do not run.
 *
 * @param dir of the case
 * @returns absolute path of the app
 */
export async function nodeApp(dir: string): Promise<string> {
  const source = path.join(dir, "app");
  const manifest = readFileSync(path.join(source, "package.json"));
  const digest = createHash("sha256").update(manifest).digest("hex").slice(0, 12);
  const place = path.join(installed, `${path.basename(dir)}-${digest}`, path.basename(dir));
  if (!existsSync(path.join(place, "node_modules"))) {
    const work = path.join(installed, `.${path.basename(dir)}-${process.pid}`);
    rmSync(work, { recursive: true, force: true });
    mkdirSync(work, { recursive: true });
    cpSync(source, work, { recursive: true });
    // The packages run in the Node that is packed, not in the one that installs them.
    const flags = [
      "--no-engine-strict",
      "--ignore-scripts",
      "--no-package-lock",
      "--no-audit",
      "--no-fund",
    ];
    const { status, stderr } = await run("npm", ["install", ...flags], {
      cwd: work,
      env: { NODE_EXTRA_CA_CERTS: process.env["TEST_AUTHORITIES"] },
      timeout: 120_000,
    });
    if (status !== 0) throw new Error(`npm install for ${dir}: ${stderr}`);
    mkdirSync(path.join(work, "node_modules"), { recursive: true });
    mkdirSync(path.dirname(place), { recursive: true });
    rmSync(place, { recursive: true, force: true });
    renameSync(work, place);
  }
  // The sources may have changed without the packages.
  cpSync(source, place, { recursive: true });
  return place;
}

/**
 * A statement so long that the compiled code of its script pays, so that a bundle has that and a script
 * which runs before the program.
 */
export const WORTH_COMPILING = `globalThis.text = "${"x".repeat(1_000_000)}";\n`;
