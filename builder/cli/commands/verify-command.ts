/** `bundle verify FILE [--key FINGERPRINT] [--json]` */

import { reproduce } from "../../api/reproduce.ts";
import { verify } from "../../api/verify.ts";
import * as errors from "../../errors.ts";
import type { Arguments } from "../parse.ts";
import { formatBytes, note, print, printable, printJson } from "../print.ts";
import { notices } from "../progress.ts";

export async function verifyCommand(args: Arguments): Promise<void> {
  const file = args.positionals[0] ?? "";
  if (args.flag("reproducible")) {
    if (args.flag("key")) throw errors.optionConflict("--key is for a signature, not for a build");
    await reproduceCommand(file, args.flag("json"));
    return;
  }
  const result = await verify(file, { key: args.text("key") });
  const { signer, fingerprint, time, knownBy } = result;
  const signed = new Date(time * 1000).toISOString();
  if (args.flag("json")) {
    printJson({ file, ...result, time: signed });
    return;
  }
  const known = knownBy === "keyring" ? "a key of your keyring" : "the key that you named";
  print(
    `${printable(file)}: good signature by ${printable(signer)}, ${known}\n` +
      `fingerprint  ${fingerprint}\n` +
      `signed       ${signed}\n`,
  );
}

async function reproduceCommand(input: string, json: boolean): Promise<void> {
  const slow = json ? undefined : notices(note);
  const result = await reproduce({ input, onStep: slow?.step }).finally(() => slow?.stop());
  if (json) {
    printJson({ input, ...result });
    return;
  }
  const { builds, varied, size, sha256 } = result;
  print(
    `${printable(input)}: ${builds} builds give the same ${formatBytes(size)}\n` +
      `sha256  ${sha256}\n` +
      `varied  ${varied.join(", ")}\n`,
  );
}
