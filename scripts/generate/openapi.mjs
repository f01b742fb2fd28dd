// Types of an interface that others describe by OpenAPI: openapi-typescript makes them. That needs an older
// TypeScript than we compile with, so it has a workspace of its own, scripts/openapi.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { notice, root } from "./spec.mjs";

const workspace = path.join(root, "scripts/openapi");
const program = path.join(workspace, "node_modules/openapi-typescript/bin/cli.js");

/**
 * What `description` becomes. Half a second is spent on it only when it, or what makes it, is another one.
 *
 * @param {string} description path in the checkout
 * @param {string | undefined} current what was made of it before
 * @returns {string}
 */
export function openapiTypes(description, current) {
  const hash = createHash("sha256");
  for (const file of [path.join(root, description), path.join(workspace, "package.json")]) {
    hash.update(readFileSync(file)).update("\0");
  }
  const head = `// ${notice}\n// Made of ${hash.digest("hex")}.\n`;
  if (current?.startsWith(head)) return current;
  if (!existsSync(program)) {
    throw new Error("npm packages are missing that package-lock.json asks for: npm run setup");
  }
  const args = [program, path.join(root, description), "--alphabetize"];
  return head + execFileSync(process.execPath, args, { encoding: "utf8", stdio: "pipe" });
}
