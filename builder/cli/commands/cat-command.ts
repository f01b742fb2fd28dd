/** `bundle cat FILE PATH...` */
import { once } from "node:events";
import { catFiles } from "../../api/cat.ts";
import type { Arguments } from "../parse.ts";

export async function catCommand(args: Arguments): Promise<void> {
  const [file = "", ...paths] = args.positionals;
  await catFiles(file, paths, async (bytes) => {
    // What is handed out is used again for the next stretch; a reader may be slower than that.
    if (!process.stdout.write(Buffer.from(bytes))) await once(process.stdout, "drain");
  });
}
