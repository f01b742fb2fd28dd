/** What a registry asks for: the header WWW-Authenticate, by RFC 9110, section 11.6.1. */

export interface Challenge {
  /** In lower case: "bearer", "basic". */
  scheme: string;
  /** Names in lower case. */
  parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAMETER = new RegExp(
  `^(${TOKEN})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))[ \\t]*(?:,[ \\t]*)*`,
);
const SCHEME = new RegExp(`^(${TOKEN})(?:[ \\t]+|$|(?=,))(?:,[ \\t]*)*`);

/** Each challenge in the order of the header; none where it is not one of HTTP's. */
export function parseChallenges(header: string): Challenge[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  let rest = header.trim();
  while (rest !== "") {
    const [all, name, quoted, plain] = PARAMETER.exec(rest) ?? [];
    const last = found.at(-1);
    if (all !== undefined && name !== undefined && last !== undefined) {
      last.parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "");
      rest = rest.slice(all.length);
      continue;
    }
    const [scheme, word] = SCHEME.exec(rest) ?? [];
    if (scheme === undefined || word === undefined) return [];
    found.push({ scheme: word.toLowerCase(), parameters: new Map() });
    rest = rest.slice(scheme.length);
  }
  return found;
}
