/** Line 9 of the checklist: signatures, ours and those of other tools. */
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import type { ErrorCode } from "../../builder/errors.ts";
import { buildSample, gpgHome, headersOf, refused, sample, sampleDir } from "../support/appdir.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { bundle, run } from "../support/process.ts";

const test = skipUnless("gpg");
const signer = "Sample Signer <signer@example.org>";
const homes: string[] = [];

function newHome(): string {
  const home = gpgHome();
  homes.push(home);
  return home;
}

async function gpg(home: string, ...args: string[]) {
  const outcome = await run("gpg", ["--batch", "--yes", "--homedir", home, ...args]);
  expect(outcome).toMatchObject({ status: 0 });
  return outcome.stdout;
}

async function newKey(home: string, name: string, ...more: string[]): Promise<string> {
  const pin = ["--passphrase", "", "--pinentry-mode", "loopback"];
  await gpg(home, ...more, ...pin, "--quick-generate-key", name, "ed25519", "sign", "1y");
  const list = await gpg(home, "--with-colons", "--list-keys", name);
  return /^fpr:+([0-9A-F]{40}):/m.exec(list)?.[1] ?? "";
}

/** The section of a file: its bytes, and where they are. */
async function section(file: string, name: string) {
  const { elf } = await headersOf(file);
  const { offset = 0, size = 0 } = elf.sections.find((one) => one.name === name) ?? {};
  const bytes = readFileSync(file).subarray(offset, offset + size);
  return { offset, size, text: bytes.toString("latin1").replace(/\0+$/, "") };
}

const verify = (file: string, home: string, ...args: string[]) =>
  bundle(["verify", file, ...args], { env: { GNUPGHOME: home } });

async function expectFailure(
  outcome: ReturnType<typeof verify>,
  code: ErrorCode,
  status: number,
  words: RegExp,
) {
  const { stderr, ...rest } = await outcome;
  expect(stderr).toContain(`[${code}]`);
  expect(stderr).toMatch(words);
  expect(rest.status).toBe(status);
}

let home = "";
let fingerprint = "";
let signed = "";

beforeAll(async () => {
  if (missing("gpg") !== undefined) return;
  home = newHome();
  fingerprint = await newKey(home, signer);
  signed = await buildSample(sample(), ["--sign"], { env: { GNUPGHOME: home } });
});

afterAll(async () => {
  for (const one of homes) await run("gpgconf", ["--homedir", one, "--kill", "all"]);
});

describe("line 9: the signature", () => {
  test("is a detached armored one over the digest with both sections zeroed", async () => {
    const bytes = readFileSync(signed);
    const [signature, key] = [
      await section(signed, ".sha256_sig"),
      await section(signed, ".sig_key"),
    ];
    for (const { offset, size } of [signature, key]) bytes.fill(0, offset, offset + size);
    const digest = createHash("sha256").update(bytes).digest("hex");

    const other = newHome();
    const dir = path.dirname(signed);
    for (const [name, text] of [
      ["digest", digest],
      ["digest.asc", signature.text],
      ["key.asc", key.text],
    ] as const) {
      writeFileSync(path.join(dir, name), text);
    }
    await gpg(other, "--import", path.join(dir, "key.asc"));
    const names = [path.join(dir, "digest.asc"), path.join(dir, "digest")];
    const args = ["--homedir", other, "--status-fd", "1", "--verify", ...names];
    const { status, stdout } = await run("gpg", args);
    expect(status).toBe(0);
    expect(stdout).toContain(`VALIDSIG ${fingerprint}`);
  });

  test("is good for who has the key, and says whose it is", async () => {
    const { status, stdout } = await verify(signed, home, "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ fingerprint, signer, knownBy: "keyring" });
    const text = await verify(signed, home);
    expect(text.stdout).toContain(`good signature by ${signer}, a key of your keyring`);
  });

  test("is by nobody known without the key, until its fingerprint is named", async () => {
    const other = newHome();
    const unknown = verify(signed, other);
    await expectFailure(unknown, "E_SIGNATURE_KEY_UNKNOWN", 4, new RegExp(`--key ${fingerprint}`));
    const { stdout } = await verify(signed, other, "--key", fingerprint, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ fingerprint, signer, knownBy: "fingerprint" });
    const wrong = fingerprint.replaceAll(/[0-9]/g, "A");
    const answer = verify(signed, other, "--key", wrong);
    await expectFailure(answer, "E_SIGNATURE_KEY_UNKNOWN", 4, new RegExp(`expected ${wrong}`));
    expect(await verify(signed, other, "--key", "1234")).toMatchObject({ status: 2 });
  });

  test("is made by the key that --sign names, and the file still starts", async () => {
    const second = await newKey(home, "second@example.org");
    const file = await buildSample(sample(), ["--sign=second@example.org"], {
      env: { GNUPGHOME: home },
    });
    const { stdout } = await verify(file, home, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ fingerprint: second });
    expect((await run(file, ["x"])).stdout).toBe("sample: x\n");
  });

  test("is made of a plain bundle too", async () => {
    const dir = sample();
    const env = { GNUPGHOME: home };
    const line = ["build", sampleDir, "-o", "x.run", "--sign"];
    const outcome = await bundle(line, { cwd: dir, env });
    expect(outcome.stdout).toContain(`signed by ${fingerprint}`);
    const file = path.join(dir, "x.run");
    expect(await verify(file, home)).toMatchObject({ status: 0 });
    expect((await run(file, ["x"])).stdout).toBe("sample: x\n");
  });

  test("is over the file that the .zsync file describes", async () => {
    const info = ["--update-info", "zsync|https://example.org/a.zsync"];
    const file = await buildSample(sample(), ["--sign", ...info], { env: { GNUPGHOME: home } });
    expect(await verify(file, home)).toMatchObject({ status: 0 });
    const sha1 = createHash("sha1").update(readFileSync(file)).digest("hex");
    expect(readFileSync(`${file}.zsync`, "latin1")).toContain(`\nSHA-1: ${sha1}\n`);
  });

  test("is bad when a byte of the image, the runtime or the update information changed", async () => {
    const { offset } = await headersOf(signed);
    const info = await section(signed, ".upd_info");
    for (const [index, at] of [offset + 100, 5000, info.offset].entries()) {
      const file = `${signed}.${index}`;
      const bytes = readFileSync(signed);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      writeFileSync(file, bytes);
      await expectFailure(verify(file, home), "E_SIGNATURE_BAD", 1, /not by Sample Signer/);
      // Nor is it good for somebody who would take the file's own key.
      await expectFailure(verify(file, newHome()), "E_SIGNATURE_BAD", 1, /not by Sample Signer/);
    }
  });

  test("is bad when its section holds something else", async () => {
    const { offset, size } = await section(signed, ".sha256_sig");
    const file = `${signed}.other`;
    const bytes = readFileSync(signed);
    bytes.fill(0, offset, offset + size).write("a text", offset);
    writeFileSync(file, bytes);
    await expectFailure(verify(file, home), "E_SIGNATURE_BAD", 1, /no OpenPGP signature/);
  });

  test("is not there in a file that was not signed", async () => {
    const file = await buildSample(sample());
    await expectFailure(verify(file, home), "E_SIGNATURE_MISSING", 3, /it is not signed/);
  });

  test("has expired with its key", async () => {
    const past = newHome();
    const then = ["--faked-system-time", "20200101T000000!"];
    const expired = await newKey(past, "Old Key <old@example.org>", ...then);
    const file = `${signed}.expired`;
    await signByOtherTool(signed, file, past, expired, then);
    await expectFailure(
      verify(file, past),
      "E_SIGNATURE_EXPIRED",
      5,
      /the key of Old Key .*expired/,
    );
    const named = verify(file, newHome(), "--key", expired);
    await expectFailure(named, "E_SIGNATURE_EXPIRED", 5, /Old Key/);
  });

  test("is good again for who has the renewed key", async () => {
    const own = newHome();
    const then = ["--faked-system-time", "20200101T000000!"];
    const key = await newKey(own, "Renewed <new@example.org>", ...then);
    const file = `${signed}.renewed`;
    await signByOtherTool(signed, file, own, key, then);
    await expectFailure(verify(file, own), "E_SIGNATURE_EXPIRED", 5, /Renewed/);
    await gpg(own, "--quick-set-expire", key, "0");
    const { stdout } = await verify(file, own, "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      fingerprint: key,
      time: "2020-01-01T00:00:00.000Z",
    });
  });

  test("as appimagetool makes it, in text mode, is verified too", async () => {
    const file = `${signed}.by-others`;
    await signByOtherTool(signed, file, home, fingerprint, ["--textmode"]);
    const { stdout } = await verify(file, home, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ fingerprint, signer });
  });

  test("of a key that was revoked says so", async () => {
    const own = newHome();
    const key = await newKey(own, "gone@example.org");
    const file = await buildSample(sample(), ["--sign"], { env: { GNUPGHOME: own } });
    const certificate = path.join(own, "openpgp-revocs.d", `${key}.rev`);
    writeFileSync(certificate, readFileSync(certificate, "utf8").replace(/^:-/m, "-"));
    await gpg(own, "--import", certificate);
    await expectFailure(
      verify(file, own),
      "E_SIGNATURE_REVOKED",
      6,
      /gone@example\.org was revoked/,
    );
  });
});

describe("line 9: signing is refused", () => {
  test("without gpg", async () => {
    const env = { PATH: path.join(home, "no-such-folder") };
    const { stderr } = await refused(sample(), "E_GPG_MISSING", ["--sign"], { env });
    expect(stderr).toMatch(/Install it/);
    const outcome = bundle(["verify", signed], { env: { ...env, GNUPGHOME: home } });
    await expectFailure(outcome, "E_GPG_MISSING", 1, /not installed/);
  });

  test("without a key, or the one that is named", async () => {
    const env = { GNUPGHOME: newHome() };
    const none = await refused(sample(), "E_SIGN_KEY", ["--sign"], { env });
    expect(none.stderr).toMatch(/no default key.*\n.*--quick-generate-key/);
    const args = ["--sign=nobody@example.org"];
    const unknown = await refused(sample(), "E_SIGN_KEY", args, { env: { GNUPGHOME: home } });
    expect(unknown.stderr).toMatch(/no secret key "nobody@example\.org"/);
  });

  test("when the public key is larger than its section", async () => {
    const own = newHome();
    const key = await newKey(own, "large@example.org");
    const pin = ["--passphrase", "", "--pinentry-mode", "loopback"];
    // One name for each round: an exported key carries all of them.
    for (let i = 0; i < 4; i++) {
      await gpg(own, ...pin, "--quick-add-uid", key, `${"x".repeat(1900)} <${i}@example.org>`);
    }
    const env = { GNUPGHOME: own };
    const { stderr } = await refused(sample(), "E_SIGNATURE_SIZE", ["--sign"], { env });
    expect(stderr).toMatch(/public key does not fit.*at most 8192 bytes/);
  });
});

/** Signs as appimagetool does: the digest of the file with empty sections, made by gpg alone. */
async function signByOtherTool(
  source: string,
  file: string,
  keyHome: string,
  key: string,
  options: readonly string[],
): Promise<void> {
  copyFileSync(source, file);
  const bytes = readFileSync(file);
  const places = [await section(file, ".sha256_sig"), await section(file, ".sig_key")];
  for (const { offset, size } of places) bytes.fill(0, offset, offset + size);
  writeFileSync(`${file}.digest`, createHash("sha256").update(bytes).digest("hex"));
  const armored = ["--armor", "--local-user", key, "--output", "-"];
  const made = [
    await gpg(keyHome, ...options, ...armored, "--detach-sign", `${file}.digest`),
    await gpg(keyHome, "--armor", "--export", key),
  ];
  for (const [index, text] of made.entries()) bytes.write(text, places[index]?.offset ?? 0);
  writeFileSync(file, bytes);
}
