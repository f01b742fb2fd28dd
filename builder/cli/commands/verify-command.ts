/** `bundle verify FILE [--key FINGERPRINT] [--json]` */
import { verify } from "../../api/verify.ts";
import type { Arguments } from "../parse.ts";
import { print, printable, printJson } from "../print.ts";

export async function verifyCommand(args: Arguments): Promise<void> {
  const file = args.positionals[0] ?? "";
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
