// Contents that come as a stream (a member of an archive, say) become temporary files, because
// the native threads read each file when its turn comes.

import { open, stat } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { removeTemporary, workFolder } from "../host/temporary.ts";
import type { Contents } from "../tree/node.ts";
import { byteString, displayPath } from "../tree/path.ts";
import type { PlannedFile } from "./plan.ts";

export class Spool {
  private dir: string | undefined;
  private count = 0;

  /** The same files, streams replaced by what they delivered. */
  async settle(files: readonly PlannedFile[]): Promise<PlannedFile[]> {
    const settled: PlannedFile[] = [];
    for (const file of files) settled.push(await this.settleFile(file));
    return settled;
  }

  /** Removes the temporary files. */
  async close(): Promise<void> {
    if (this.dir !== undefined) removeTemporary(this.dir);
  }

  private async settleFile(file: PlannedFile): Promise<PlannedFile> {
    const { contents } = file;
    if (contents.from !== "stream") return file;
    this.dir ??= workFolder();
    const name = path.join(this.dir, String(this.count++));
    const spooled = await this.receive(contents, name, displayPath(file.path));
    return { ...file, contents: spooled };
  }

  private async receive(
    contents: Contents & { from: "stream" },
    name: string,
    shown: string,
  ): Promise<Contents> {
    const output = await open(name, "wx", 0o600);
    let size = 0;
    try {
      for await (const chunk of contents.open()) {
        await output.writeFile(chunk);
        size += chunk.length;
      }
    } finally {
      await output.close();
    }
    if (size !== contents.size) {
      throw errors.fileChanged(shown, `it had ${size} bytes instead of ${contents.size}`);
    }
    const { dev, ino, mtimeNs, ctimeNs } = await stat(name, { bigint: true });
    return { from: "disk", path: byteString(name), size, identity: { dev, ino, mtimeNs, ctimeNs } };
  }
}
