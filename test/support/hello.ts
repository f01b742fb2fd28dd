/** The example app as a bundle. */
import path from "node:path";
import { build } from "../../builder/api/build.ts";
import type { BuildOptions } from "../../builder/config/build-options.ts";
import { root } from "./process.ts";
import { temporaryDirectory } from "./temporary.ts";

/** Folder of the example. */
export const helloDirectory = path.join(root, "examples/hello");

/** Packs examples/hello. @returns path of the bundle, in a folder that everyone may read */
export async function packHello(options: Partial<BuildOptions> = {}): Promise<string> {
  const output = path.join(temporaryDirectory(), "hello.run");
  await build({ input: helloDirectory, output, ...options });
  return output;
}
