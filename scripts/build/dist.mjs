// The package as it was built, for scripts that use it. Its types are those of the sources, because the
// declarations are built for publishing only.

import path from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./zig.mjs";

/** @returns {Promise<typeof import("../../builder/index.ts")>} */
export function builtPackage() {
  return import(pathToFileURL(path.join(root, "dist/index.js")).href);
}
