/** Whose signature a file carries, and what it is worth. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { type GpgResult, gpg, gpgWords, statusOf } from "../appimage/gpg.ts";
import { findSection, KEY, readText, SIGNATURE, signedDigest } from "../appimage/sections.ts";
import { checkOptions } from "../config/validate.ts";
import { readElf } from "../elf/read.ts";
import * as errors from "../errors.ts";
import { runCommandSync } from "../host/command.ts";
import { beforeRemoval, removeTemporary, workFolder } from "../host/temporary.ts";
import { withFile } from "../input/add-file.ts";

/** A signature that is good. */
export interface Verification {
  /** Of the key that signed; its primary key's, 40 or 64 hexadecimal digits. */
  fingerprint: string;
  /** Name and address that the key claims. */
  signer: string;
  /** Seconds since 1970, as the signature says. */
  time: number;
  /** How the key is known: in the keyring of the caller, or by its fingerprint (`key`). */
  knownBy: "keyring" | "fingerprint";
  /** SHA-256 of the file with its signature zeroed, hexadecimal. */
  digest: string;
}

/** Whose signature is wanted. */
export interface VerifyOptions {
  /** Fingerprint of the key that must have signed; then no keyring is asked. */
  key?: string | undefined;
}

/**
 * Checks the signature of an AppImage or bundle. The key that stands in the file proves nothing
 * about who signed, because anyone can put one there: it must be in the caller's keyring, or be
 * named by its fingerprint.
 *
 * @throws E_SIGNATURE_MISSING, E_SIGNATURE_BAD, E_SIGNATURE_KEY_UNKNOWN, E_SIGNATURE_EXPIRED,
 *   E_SIGNATURE_REVOKED, E_GPG_MISSING, and what reading an ELF file throws
 *
 * @example
 * ```js
 * import { build, verify } from "fuselage-bundle";
 *
 * await build({ input: "hello", output: "hello.run" });
 * try {
 *   const { signer } = await verify("hello.run");
 *   console.log(`signed by ${signer}`);
 * } catch (error) {
 *   console.log(error.code); // E_SIGNATURE_MISSING
 * }
 * ```
 */
export async function verify(file: string, options: VerifyOptions = {}): Promise<Verification> {
  checkOptions("verify", { file, ...options });
  const wanted = options.key === undefined ? undefined : fingerprintOf(options.key);
  const { digest, signature, key } = await readSigned(file);
  const dir = workFolder();
  beforeRemoval(dir, () => stopAgents(dir));
  try {
    const check = new Check(file, dir, digest, signature);
    // The caller's own copy of a key knows of its renewal or revocation, the file's does not.
    const own = wanted === undefined && hasKeyring() ? await check.against() : undefined;
    if (own !== undefined) return check.verdict(own, "keyring");
    const carried = key === "" ? undefined : await check.against(await importKey(dir, key));
    if (carried === undefined) throw check.unknown();
    if (wanted === undefined) throw check.unknown(carried);
    const verified = check.verdict(carried, "fingerprint");
    if (verified.fingerprint !== wanted) throw check.unknown(carried, wanted);
    return verified;
  } finally {
    removeTemporary(dir);
  }
}

/** @throws E_OPTION_VALUE */
function fingerprintOf(text: string): string {
  const digits = text.replace(/^0x|[\s:]/gi, "").toUpperCase();
  if (/^([0-9A-F]{40}|[0-9A-F]{64})$/.test(digits)) return digits;
  const expected = "a whole fingerprint, 40 hexadecimal digits";
  throw errors.optionValue("key", expected, `"${text}"`);
}

/** Signature, key and digest of a file. */
function readSigned(file: string) {
  return withFile(file, async (handle) => {
    const elf = await readElf(handle, file);
    const [signature = "", key = ""] = await Promise.all(
      [SIGNATURE, KEY].map(async (name) => {
        const section = findSection(elf, name);
        return section === undefined ? "" : readText(handle, section);
      }),
    );
    if (signature.trim() === "") throw errors.signatureMissing(file);
    return { signature, key, digest: await signedDigest(handle, elf, file) };
  });
}

/** A keyring of its own with the key that the file carries. @returns its folder */
async function importKey(dir: string, key: string): Promise<string> {
  // A broken key is no key: the signature is then by somebody unknown.
  await gpg(["--import"], { home: dir, input: key });
  return dir;
}

/** gpg starts a daemon for a home folder; it must not outlive the folder. */
function stopAgents(dir: string): void {
  try {
    runCommandSync("gpgconf", ["--homedir", dir, "--kill", "all"]);
  } catch {
    // Where there is no gpgconf there is no gpg that starts one.
  }
}

class Check {
  readonly #file: string;
  readonly #dir: string;
  readonly #digest: string;
  readonly #signature: string;

  constructor(file: string, dir: string, digest: string, signature: string) {
    this.#file = file;
    this.#dir = dir;
    this.#digest = digest;
    this.#signature = signature;
  }

  /**
   * gpg's answer by a keyring.
   *
   * @param home undefined: the caller's
   * @returns undefined when the key is not in it
   */
  async against(home?: string): Promise<GpgResult | undefined> {
    const file = path.join(this.#dir, "signature.asc");
    await writeFile(file, this.#signature);
    const result = await gpg(["--no-auto-key-retrieve", "--verify", file, "-"], {
      input: this.#digest,
      ...(home !== undefined && { home }),
    });
    if (statusOf(result, "NODATA") !== undefined) {
      throw errors.signatureBad(this.#file, "its section holds no OpenPGP signature");
    }
    return statusOf(result, "NO_PUBKEY") === undefined ? result : undefined;
  }

  /** What the answer of gpg means. @throws what is wrong with the signature */
  verdict(result: GpgResult, knownBy: Verification["knownBy"]): Verification {
    const signer = signerOf(result);
    const bad = statusOf(result, "BADSIG");
    if (bad !== undefined) {
      throw errors.signatureBad(this.#file, `it is not by ${signer} over this file`);
    }
    const revoked = statusOf(result, "REVKEYSIG");
    if (revoked !== undefined) throw errors.signatureRevoked(this.#file, signer);
    const expired = statusOf(result, "EXPKEYSIG") ?? statusOf(result, "EXPSIG");
    if (expired !== undefined) {
      const what = expired.keyword === "EXPSIG" ? "the signature" : "the key";
      throw errors.signatureExpired(this.#file, what, signer);
    }
    const valid = statusOf(result, "VALIDSIG");
    if (statusOf(result, "GOODSIG") === undefined || valid === undefined) {
      throw errors.signatureBad(this.#file, `gpg cannot check it: ${gpgWords(result)}`);
    }
    const [fingerprint = "", , time = "0"] = valid.args;
    return {
      fingerprint: valid.args[9] ?? fingerprint,
      signer,
      time: Number(time),
      knownBy,
      digest: this.#digest,
    };
  }

  /** The failure when nobody vouches for the key; a signature that is wrong says that instead. */
  unknown(carried?: GpgResult, wanted?: string): Error {
    if (carried === undefined) return errors.signatureKeyUnknown(this.#file, undefined, wanted);
    const { fingerprint, signer } = this.verdict(carried, "fingerprint");
    return errors.signatureKeyUnknown(this.#file, { fingerprint, signer }, wanted);
  }
}

/** "Name <address>" of the key, else its number. */
function signerOf(result: GpgResult): string {
  for (const { keyword, args } of result.statuses) {
    if (!["GOODSIG", "BADSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"].includes(keyword)) continue;
    const [id = "", ...name] = args;
    return name.length > 0 ? unescaped(name.join(" ")) : `key ${id}`;
  }
  return "an unknown key";
}

/** gpg writes control characters and % as %XX. */
function unescaped(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** Whether the caller has a keyring at all: asking gpg would make an empty one. */
function hasKeyring(): boolean {
  return existsSync(process.env["GNUPGHOME"] || path.join(os.homedir(), ".gnupg"));
}
