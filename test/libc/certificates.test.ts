/** A packed OpenSSL finds the certificates of whichever distribution it is started on. */
import { execFileSync } from "node:child_process";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { missing, skipUnless } from "../support/needs.ts";
import { bundle, ordinaryUser } from "../support/process.ts";
import { otherRoot } from "../support/roots.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const needs = ["root", "gcc", "fuse", "userns", "openssl"] as const;
const check = skipUnless(...needs);

let dir = "";
/** Folder that the openssl of this machine was compiled for. */
let own = "";

beforeAll(async () => {
  if (needs.some((need) => missing(need) !== undefined)) return;
  dir = temporaryDirectory();
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { cwd: dir, encoding: "utf8", stdio: "pipe" });
  own = /"(.*)"/.exec(openssl("version", "-d"))?.[1] ?? "";
  for (const name of ["right", "wrong"]) {
    const key = ["-newkey", "rsa:2048", "-nodes", "-keyout", `${name}.key`];
    openssl("req", "-x509", ...key, "-out", `${name}.pem`, "-subj", `/CN=${name}`, "-days", "9");
  }
  const program = execFileSync("sh", ["-c", "command -v openssl"], { encoding: "utf8" }).trim();
  const args = ["build", program, "-o", "openssl.run", "--with-libs", "--compression", "zstd:1"];
  expect(await bundle(args, { cwd: dir })).toMatchObject({ status: 0 });
});

/** Whether the certificate `right` is trusted where files of these names hold certificates. */
async function trusts(files: Record<string, string>, env: Record<string, string> = {}) {
  const there = otherRoot(temporaryDirectory(), "nothing");
  there.add(path.join(dir, "openssl.run"), "/openssl.run");
  there.add(path.join(dir, "right.pem"), "/right.pem");
  for (const [name, certificate] of Object.entries(files))
    there.add(path.join(dir, `${certificate}.pem`), name);
  const args = ["verify", "/right.pem"];
  const { stdout } = await there.start("/openssl.run", ordinaryUser().uid, args, env);
  return stdout === "/right.pem: OK\n";
}

describe("certificates are found", () => {
  for (const file of [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
  ]) {
    check(`in ${file}`, async () => expect(await trusts({ [file]: "right" })).toBe(true));
  }

  check("in the folder that was compiled in, before any other", async () => {
    const files = { [`${own}/cert.pem`]: "right", "/etc/pki/tls/certs/ca-bundle.crt": "wrong" };
    expect(await trusts(files)).toBe(true);
  });

  check("where the caller says, before any other", async () => {
    const files = { "/mine.pem": "right", "/etc/pki/tls/certs/ca-bundle.crt": "wrong" };
    expect(await trusts(files, { SSL_CERT_FILE: "/mine.pem" })).toBe(true);
    expect(await trusts({ "/etc/ssl/cert.pem": "right" }, { SSL_CERT_FILE: "/none" })).toBe(false);
    expect(await trusts({ "/etc/ssl/cert.pem": "right" }, { SSL_CERT_DIR: "/none" })).toBe(false);
  });
});

check("nothing is trusted where there are none", async () => {
  expect(await trusts({})).toBe(false);
});
