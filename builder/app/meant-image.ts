/** Inputs that are no files, and may have been meant to be container images. */
import { nearest } from "../config/nearest-name.ts";
import { parseRegistryName, transports } from "../oci/reference.ts";

/** What a text that is no path may have been meant to be: a mistyped name, or one of a registry without its start. */
export function meantImage(text: string): string | undefined {
  const [, name = "", rest = ""] = /^([\w-]+):(.+)$/s.exec(text) ?? [];
  const transport = nearest(name.toLowerCase(), transports);
  if (transport !== undefined) return `${transport}:${rest}`;
  // Without a tag or digest it looks like a path.
  const isName = /[:@]/.test(text) && parseRegistryName(text) !== undefined;
  return isName ? `docker://${text}` : undefined;
}
