/** What --explain and warnings say about links that do not simply lead to something beside them. */
import path from "node:path";
import type { LinkReport } from "../../input/host-tree.ts";
import { type Warning, type WarningCode, warning } from "../../warnings.ts";

interface Described {
  explain: string[];
  warnings: Warning[];
}

/** More names than these are only counted. */
const SHOWN = 3;

/**
 * @param dir of the project
 * @param isPartial whether only some files of the project are packed
 */
export function describeLinks(
  reports: readonly LinkReport[],
  dir: string,
  isPartial: boolean,
): Described {
  const shown = (file: string) => (file.startsWith(`${dir}/`) ? path.relative(dir, file) : file);
  const of = (what: LinkReport["what"]) =>
    reports
      .filter((report) => report.what === what)
      .filter(({ target }) => what !== "above" || isPartial || target !== dir)
      .map(({ link, target }) => `${shown(link)} → ${target}`);
  const warnings: Warning[] = [];
  const warn = (code: WarningCode, what: LinkReport["what"], text: string) => {
    const links = of(what);
    if (links.length === 0) return;
    const more = links.length > SHOWN ? `, and ${links.length - SHOWN} more` : "";
    const message = `${text}: ${links.slice(0, SHOWN).join(", ")}${more}`;
    warnings.push(warning(code, message));
  };
  warn("W_LINK_BROKEN", "broken", "links to nothing are packed as they are");
  warn("W_LINK_TARGET", "special", "links to what is no file are packed without it");
  warn("W_LINK_TARGET", "above", "links to a folder around them lead to what else is packed of it");
  return {
    explain: of("outside").map((link) => `link: ${link}, which lies outside and is packed too`),
    warnings,
  };
}
