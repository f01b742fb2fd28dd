/** What runs each script of an image that can be executed. */

import { open } from "node:fs/promises";
import { NODE_PATH_DIR } from "../app/node/node-app-tree.ts";
import { describeScript } from "../app/plain/interpreter.ts";
import { parseShebang, shebangProgram } from "../app/plain/shebang.ts";
import { readingFailed } from "../errors.ts";
import { imagePlaces } from "../manifest/folder-map.ts";
import { BUNDLE_DIR, fromBytes } from "../manifest/manifest.ts";
import { pathOnDisk } from "../tree/node.ts";
import { displayPath } from "../tree/path.ts";
import { type Warning, warning } from "../warnings.ts";
import type { Bundle } from "./check-tree.ts";

/** As much of a first line as a kernel reads. Bytes. */
const HEAD_BYTES = 4096;

export async function checkScripts({ tree, manifest, declared }: Bundle) {
  const variables = [...(manifest?.env ?? []), ...(manifest?.envPrepend ?? [])].map(fromBytes);
  const paths = variables.flatMap((one) => (one.startsWith("PATH=") ? one.slice(5) : []));
  if (tree.get(NODE_PATH_DIR) !== undefined) paths.push(`${BUNDLE_DIR}/${NODE_PATH_DIR}`);
  const mountAt = manifest?.mountAt === undefined ? undefined : fromBytes(manifest.mountAt);
  const places = imagePlaces(mountAt, manifest?.maps?.map(fromBytes) ?? []);
  const around = { tree, folder: undefined, places, paths, declared, searchPath: undefined };
  /** By what is missing: the first script that asks for it, and how many more do. */
  const missing = new Map<string, { first: Warning; more: number }>();
  let count = 0;
  for (const { path: at, node } of tree.walk()) {
    if (node.kind !== "file" || (node.mode & 0o111) === 0 || node.contents.from !== "disk")
      continue;
    const shebang = parseShebang(await headOf(Buffer.from(pathOnDisk(node.contents), "latin1")));
    if (shebang === undefined) continue;
    count++;
    for (const one of describeScript(shebang, displayPath(at), around).warnings) {
      const key = `${one.code} ${shebangProgram(shebang)}`;
      const known = missing.get(key);
      if (known === undefined) missing.set(key, { first: one, more: 0 });
      else known.more++;
    }
  }
  const findings = [...missing.values()].map(({ first: { code, message }, more }) =>
    warning(code, more === 0 ? message : `${message} (and so with ${more} more)`),
  );
  return { findings, count };
}

async function headOf(file: Buffer): Promise<Buffer> {
  const failed = readingFailed(displayPath(file.toString("latin1")));
  const handle = await open(file).catch(failed);
  try {
    const { buffer, bytesRead } = await handle
      .read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
      .catch(failed);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
