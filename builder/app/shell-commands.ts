/**
 * Which programs a shell script starts, as far as its text says it.
 *
 * It has to get through any script of any shell, and only needs to know where commands begin:
 * `shell-quote`, which reads command lines of package.json, stops at what it does not know.
 */

/** Words behind which a command begins. */
const OPENING = new Set("if then elif else while until do ! { time coproc".split(" "));

/** Words that end what others began: nothing is started by them. */
const CLOSING = new Set("fi done esac } case for select function in".split(" "));

/** Commands that start the one behind them and their own options. */
const WRAPPERS = new Set(
  "exec env command nohup nice ionice setsid timeout stdbuf xargs busybox cross-env npx".split(" "),
);

/** Substitutions in substitutions that are looked into. */
const DEEPEST = 30;

/**
 * Names of the programs that a script starts, without their folders: each word that stands where a
 * command does. A name that is made at run time (`$TOOL`, `eval`) is not found.
 */
export function shellCommands(script: string): Set<string> {
  const commands = new Scanner(script).commands();
  return new Set(commands.flatMap((words) => programOf(words) ?? []));
}

const last = (name: string) => name.slice(name.lastIndexOf("/") + 1);

/** What the words start, or undefined: `command -v NAME` only asks for it. */
function programOf(words: readonly string[]): string | undefined {
  let wrapper = "";
  for (const word of words) {
    if (wrapper === "command" && /^-[vV]/.test(word)) return undefined;
    if (OPENING.has(word) || /^[A-Za-z_]\w*\+?=/.test(word)) continue;
    if (WRAPPERS.has(last(word))) wrapper = last(word);
    else if (wrapper === "" || !/^[-\d]/.test(word)) {
      return CLOSING.has(word) ? undefined : last(word) || undefined;
    }
  }
  return undefined;
}

/** Reads a script once, from its first character to its last. */
class Scanner {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  readonly #commands: string[][] = [];
  /** Ends of the here-documents that begin with the next line. */
  #documents: string[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /** The words of each command; expansions in them are empty. */
  commands(): string[][] {
    while (this.#at < this.#text.length) this.#list("");
    return this.#commands;
  }

  /** Commands up to `end`, a closing parenthesis or backtick, which is passed over. */
  #list(end: string): void {
    let words: string[] = [];
    let word: string | undefined;
    let isFile = false;
    const endWord = () => {
      if (word !== undefined && !isFile) words.push(word);
      if (word !== undefined) isFile = false;
      word = undefined;
    };
    const endCommand = () => {
      endWord();
      isFile = false;
      if (words.length > 0) this.#commands.push(words);
      words = [];
    };
    while (this.#at < this.#text.length) {
      const one = this.#text[this.#at++] ?? "";
      if (one === end) break;
      if (/[ \t\r]/.test(one)) endWord();
      else if (one === "\n") {
        endCommand();
        this.#skipDocuments();
      } else if (one === "#" && word === undefined) this.#skipTo("\n");
      else if (one === "<" || one === ">") {
        // A number in front of it is that of a descriptor.
        if (/^\d+$/.test(word ?? "")) word = undefined;
        endWord();
        isFile = this.#redirection(one);
      } else if (one === "&" && this.#text[this.#at] === ">") endWord();
      else if (/[;&|]/.test(one)) endCommand();
      else if (one === ")") {
        // The pattern of a case, or the end of a subshell.
        if (word !== undefined && words.length === 0) word = undefined;
        endCommand();
      } else if (one === "(") {
        // Behind a name it makes a function.
        if (this.#text[this.#at] === ")") word = undefined;
        endCommand();
      } else word = (word ?? "") + this.#part(one);
    }
    endCommand();
  }

  /** What a character that is no operator begins. */
  #part(one: string): string {
    if (one === "\\") {
      const next = this.#text[this.#at++] ?? "";
      return next === "\n" ? "" : next;
    }
    if (one === "'") return this.#quoted();
    if (one === '"') return this.#doubleQuoted();
    return one === "$" || one === "`" ? this.#expansion(one) : one;
  }

  #quoted(): string {
    const from = this.#at;
    this.#skipTo("'");
    return this.#text.slice(from, this.#at++);
  }

  #doubleQuoted(): string {
    let text = "";
    while (this.#at < this.#text.length) {
      const one = this.#text[this.#at++] ?? "";
      if (one === '"') break;
      if (one === "\\") text += this.#text[this.#at++] ?? "";
      else text += one === "$" || one === "`" ? this.#expansion(one) : one;
    }
    return text;
  }

  /** `$NAME` and `${NAME...}` stay as what they are; commands in `$(...)` and backticks are taken. */
  #expansion(one: string): string {
    const next = one === "`" ? one : this.#text[this.#at];
    if (next === "{") {
      const from = this.#at;
      this.#skipTo("}");
      return `$${this.#text.slice(from, ++this.#at)}`;
    }
    if ((next !== "(" && next !== "`") || this.#depth === DEEPEST) return one;
    if (next === "(") this.#at++;
    this.#depth++;
    this.#list(next === "(" ? ")" : "`");
    this.#depth--;
    return "$()";
  }

  /** Behind `<` or `>`. Returns whether a file's name, or a descriptor, follows. */
  #redirection(one: string): boolean {
    const next = this.#text[this.#at];
    if (next === "(") return false;
    const [operator = ""] = /^[<>&|-]*/.exec(this.#text.slice(this.#at, this.#at + 4)) ?? [];
    this.#at += operator.length;
    if (one === "<" && /^<-?$/.test(operator)) {
      const [, word = ""] = /^[ \t]*(\S+)/.exec(this.#text.slice(this.#at, this.#at + 200)) ?? [];
      this.#documents.push(word.replace(/[;&|)].*$/, "").replaceAll(/["'\\]/g, ""));
    }
    return true;
  }

  #skipDocuments(): void {
    for (const end of this.#documents) {
      let line: string;
      do {
        const from = this.#at;
        this.#skipTo("\n");
        line = this.#text.slice(from, this.#at++).replace(/^\t+/, "");
      } while (line !== end && this.#at < this.#text.length);
    }
    this.#documents = [];
  }

  /** Up to the next `character`, or to the end. */
  #skipTo(character: string): void {
    const found = this.#text.indexOf(character, this.#at);
    this.#at = found < 0 ? this.#text.length : found;
  }
}
