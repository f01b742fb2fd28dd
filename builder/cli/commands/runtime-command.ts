/** `bundle runtime [--arch ARCH] [-o FILE]` */
import { readFile } from "node:fs/promises";
import { checkedArch } from "../../config/build-options.ts";
import { checkOption } from "../../config/validate.ts";
import * as errors from "../../errors.ts";
import { version } from "../../generated/spec.ts";
import { runtimePath } from "../../host/paths.ts";
import { resolveOutput, writeAtomically } from "../../output/atomic.ts";
import type { Arguments } from "../parse.ts";
import { print, printable, printJson } from "../print.ts";
import { parseArch, parsed } from "../values.ts";

export async function runtimeCommand(args: Arguments): Promise<void> {
  const arch = checkedArch("runtime", parsed(args.text("arch"), parseArch));
  const source = runtimePath(arch);
  const output = args.text("output");
  checkOption("runtime", "output", output);
  const target = output === undefined ? source : await resolveOutput(output);
  if (output !== undefined) {
    const bytes = await readFile(source).catch((cause: unknown) => {
      throw errors.fileUnreadable(source, cause);
    });
    await writeAtomically(target, 0o777, (handle) => handle.writeFile(bytes), output);
  }
  if (args.flag("json")) printJson({ path: target, arch, version });
  else if (output === undefined) print(`${printable(source)}\n`);
}
