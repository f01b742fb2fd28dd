/** A small bundle, and its digest. */
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build } from "../../builder/index.ts";
import { temporaryDirectory } from "./temporary.ts";

/** @param text of the script that it starts @param data of a file beside it */
export async function helloBundle(text = "#!/bin/sh\necho hello\n", data?: Buffer) {
  const dir = temporaryDirectory();
  const app = path.join(dir, "hello");
  mkdirSync(app);
  writeFileSync(path.join(app, "hello"), text);
  chmodSync(path.join(app, "hello"), 0o755);
  if (data !== undefined) writeFileSync(path.join(app, "data"), data);
  const file = path.join(dir, "hello.run");
  await build({ input: app, output: file });
  const sha256 = createHash("sha256").update(readFileSync(file)).digest("hex");
  return { file, sha256 };
}
