/** What a command line of package.json or a line "#!" gives Node beside the program. */
import { parse } from "shell-quote";

/** `NODE_ENV=production node --max-old-space-size=96 server.js --port 80` */
export interface NodeCommand {
  /** Each `K=V`. */
  variables: string[];
  /** All words behind `node`. */
  words: string[];
}

/** Commands that only set variables for the one behind them. */
const WRAPPERS = new Set(["cross-env", "cross-env-shell", "exec", "env"]);

/**
 * The commands of a script that start Node, in order. One that the shell would make of other things
 * (variables, patterns, files) is left out with a part of its words: nobody knows here what they are.
 */
export function nodeCommands(script: string): NodeCommand[] {
  const commands: string[][] = [[]];
  for (const token of parse(script, (name) => `\${${name}}`)) {
    if (typeof token === "string") commands.at(-1)?.push(token);
    else if ("op" in token && token.op === "glob") commands.at(-1)?.push(token.pattern);
    else if ("op" in token) commands.push([]);
  }
  return commands.flatMap((words) => {
    const variables: string[] = [];
    for (let word = words.shift(); word !== undefined; word = words.shift()) {
      if (/^[A-Za-z_]\w*=/.test(word)) variables.push(word);
      else if (isNode(word)) return [{ variables, words }];
      else if (!WRAPPERS.has(word)) return [];
    }
    return [];
  });
}

/** What stands behind Node in the first line of a script: `#!/usr/bin/env -S node --flag`. */
export function shebangWords(line: string): string[] {
  const [program = "", ...rest] = line
    .replace(/^#!\s*/, "")
    .trim()
    .split(/\s+/);
  if (isNode(program)) return rest;
  const at = rest.findIndex(isNode);
  return /(?:^|\/)env$/.test(program) && at >= 0 ? rest.slice(at + 1) : [];
}

const isNode = (word: string) => /(?:^|\/)node(?:js)?$/.test(word);

/** Flags of Node that take the word behind them, when they have no "=". */
const WITH_VALUE = new Set([
  ..."-r --require --import --loader --experimental-loader --env-file --env-file-if-exists".split(
    " ",
  ),
  ..."-C --conditions --title --input-type --icu-data-dir --openssl-config --snapshot-blob".split(
    " ",
  ),
  ..."--disable-warning --unhandled-rejections --dns-result-order --max-http-header-size".split(
    " ",
  ),
  ..."--experimental-config-file --watch-path --inspect-port --redirect-warnings --tls-keylog".split(
    " ",
  ),
  ..."--diagnostic-dir --trace-event-categories --tls-cipher-list -e --eval -p --print".split(" "),
]);

/** One flag with its value. */
export interface Flag {
  /** Without a value: "--import". */
  name: string;
  value: string | undefined;
  /** As it was written. */
  words: string[];
}

/** Splits the words of a command line at the program, which is the first that is no flag. */
export function splitFlags(words: readonly string[]): { flags: Flag[]; program: string[] } {
  const flags: Flag[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (!word.startsWith("-") || word === "-") return { flags, program: words.slice(i) };
    if (word === "--") return { flags, program: words.slice(i + 1) };
    const equals = word.startsWith("--") ? word.indexOf("=") : -1;
    const name = equals < 0 ? word : word.slice(0, equals);
    const behind = equals < 0 && WITH_VALUE.has(name) ? words[++i] : undefined;
    const value = equals < 0 ? behind : word.slice(equals + 1);
    flags.push({ name, value, words: behind === undefined ? [word] : [word, behind] });
  }
  return { flags, program: [] };
}
