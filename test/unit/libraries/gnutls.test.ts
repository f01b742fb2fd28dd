import { writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { explain } from "../../../builder/index.ts";
import { writeFiles } from "../../support/case.ts";
import { makeDynamicElf, makeProgram } from "../../support/dynamic-elf.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const [SET, ADD] = [
  "gnutls_certificate_set_x509_system_trust",
  "gnutls_x509_trust_list_add_system_trust",
];
const needed = ["libgnutls.so.30"];
const debian = "/etc/ssl/certs/ca-certificates.crt";

/** A libgnutls with a path among its constants, and with those of others around it. */
const gnutls = (...constants: string[]) =>
  makeDynamicElf({
    soname: "libgnutls.so.30",
    constants: ["/etc/gnutls/config", "pkcs11:", ...constants, "end"].join("\0"),
  });

async function warned(files: Record<string, Buffer>, targetHas: string[] = []): Promise<string[]> {
  const input = temporaryDirectory();
  writeFiles(input, Object.fromEntries(Object.entries(files).filter(([name]) => name !== "bin/p")));
  writeFiles(input, { "bin/.keep": "" });
  writeFileSync(path.join(input, "bin/p"), files["bin/p"] ?? "", { mode: 0o755 });
  const { warnings } = await explain({
    input,
    entry: "bin/p",
    libc: "host",
    arch: "x86_64",
    targetHas,
  });
  return warnings.filter(({ code }) => code === "W_CERTIFICATES").map(({ message }) => message);
}

const asking = makeProgram({ needed, runpath: "$ORIGIN/../lib", undefinedSymbols: [SET] });

test("a program that asks for them is named, with the path", async () => {
  expect(await warned({ "bin/p": asking, "lib/libgnutls.so.30": gnutls(debian) })).toEqual([
    `bin/p asks GnuTLS for the certificates of the system, which it finds at ${debian} alone, and some distributions have them elsewhere`,
  ]);
});

test("so is a library", async () => {
  const files = {
    "bin/p": makeProgram({ needed: ["libtls.so"], runpath: "$ORIGIN/../lib" }),
    "lib/libtls.so": makeDynamicElf({ needed, undefinedSymbols: [ADD] }),
    "lib/libgnutls.so.30": gnutls("/etc/pki/tls/certs/ca-bundle.crt"),
  };
  expect(await warned(files)).toEqual([
    expect.stringMatching(
      /^lib\/libtls\.so asks .* at \/etc\/pki\/tls\/certs\/ca-bundle\.crt alone/,
    ),
  ]);
});

test("one without a file asks p11-kit", async () => {
  expect(await warned({ "bin/p": asking, "lib/libgnutls.so.30": gnutls() })).toEqual([
    expect.stringContaining("by p11-kit"),
  ]);
});

test("nothing is said of who brings a file, of the target's library, or where all have the path", async () => {
  const silent = makeProgram({
    needed,
    runpath: "$ORIGIN/../lib",
    undefinedSymbols: ["gnutls_certificate_set_x509_trust_file"],
  });
  expect(await warned({ "bin/p": silent, "lib/libgnutls.so.30": gnutls(debian) })).toEqual([]);
  expect(await warned({ "bin/p": asking })).toEqual([]);
  const files = { "bin/p": asking, "lib/libgnutls.so.30": gnutls(debian) };
  expect(await warned(files, [debian])).toEqual([]);
});
