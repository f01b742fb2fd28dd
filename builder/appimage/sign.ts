/** Signing a finished file as AppImage's tools do, and as they verify it. */
import type { FileHandle } from "node:fs/promises";
import type { ElfFile } from "../elf/read.ts";
import * as errors from "../errors.ts";
import { writeAt } from "../output/write-at.ts";
import { type GpgResult, gpg, gpgWords, statusOf } from "./gpg.ts";
import { KEY, paddedText, requireSection, SIGNATURE, signedDigest } from "./sections.ts";

/**
 * Signs the file and writes signature and public key into their sections. Nothing else of the file
 * may change afterwards.
 *
 * @param key what gpg takes as --local-user; undefined: gpg's default key
 * @returns fingerprint of the key
 * @throws E_GPG_MISSING, E_SIGN_KEY, E_SIGN_FAILED, E_SIGNATURE_SIZE
 */
export async function signFile(
  handle: FileHandle,
  elf: ElfFile,
  file: string,
  key: string | undefined,
): Promise<string> {
  const [signatureSection, keySection] = [SIGNATURE, KEY].map((name) =>
    requireSection(elf, name, file),
  ) as [ElfFile["sections"][number], ElfFile["sections"][number]];
  const input = await signedDigest(handle, elf, file);
  const user = key === undefined ? [] : ["--local-user", key];
  const made = await gpg(["--armor", ...user, "--detach-sign"], { input });
  const fingerprint = statusOf(made, "SIG_CREATED")?.args[5];
  if (!made.ok || fingerprint === undefined) throw signingFailure(made, key);
  const exported = await gpg([
    "--armor",
    "--export-options",
    "export-minimal",
    "--export",
    fingerprint,
  ]);
  if (!exported.ok || exported.stdout === "") throw errors.signFailed(gpgWords(exported));
  for (const [what, section, text] of [
    ["signature", signatureSection, made.stdout],
    ["public key", keySection, exported.stdout],
  ] as const) {
    const size = Buffer.byteLength(text);
    if (size > section.size) throw errors.signatureSize(what, section.size, size);
    await writeAt(handle.fd, paddedText(text, section), section.offset);
  }
  return fingerprint;
}

function signingFailure(result: GpgResult, key: string | undefined): Error {
  const words = gpgWords(result);
  const noKey = statusOf(result, "INV_SGNR") ?? statusOf(result, "NO_SECKEY");
  const noDefault = /no default secret key|No secret key/i.test(result.stderr);
  if (noKey !== undefined || noDefault) return errors.signKey(key, words);
  return errors.signFailed(words);
}
