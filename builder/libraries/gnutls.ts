/**
 * Where a GnuTLS that is packed looks for the certificates of the system: at one path, which was compiled
 * in as its distribution has it. Unlike OpenSSL it reads no variable for another one.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { type Warning, warning } from "../warnings.ts";
import type { ElfObject } from "./elf-objects.ts";

const LIBRARY = /^libgnutls\.so(\.|$)/;
/** Functions that take the certificates of the system; others name a file of their own. */
const ASKING = [
  "gnutls_certificate_set_x509_system_trust",
  "gnutls_x509_trust_list_add_system_trust",
];
const FILE = /\0(\/etc\/[^\0\n]{1,200}\.(?:crt|pem))\0/;

/**
 * What may not be found on other distributions, for who asks for it.
 *
 * @param objects programs and libraries of the image
 * @param declared names and paths of what every target has
 */
export async function gnutlsWarnings(
  objects: readonly ElfObject[],
  declared: readonly string[] = [],
): Promise<Warning[]> {
  const library = objects.find(({ file, facts }) =>
    LIBRARY.test(facts.soname ?? path.basename(file)),
  );
  if (library === undefined) return [];
  const asks = ({ facts }: ElfObject) => ASKING.some((name) => facts.undefinedSymbols.has(name));
  const asking = objects.find((object) => object !== library && asks(object));
  if (asking === undefined) return [];
  const [, file] = FILE.exec((await readFile(library.file)).toString("latin1")) ?? [];
  if (file !== undefined && declared.includes(file)) return [];
  const where =
    file === undefined
      ? "by p11-kit, as its distribution has them"
      : `at ${file} alone, and some distributions have them elsewhere`;
  const message = `${asking.shown} asks GnuTLS for the certificates of the system, which it finds ${where}`;
  return [warning("W_CERTIFICATES", message)];
}
