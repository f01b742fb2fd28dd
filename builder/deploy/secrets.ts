/** Values that nobody may see but the app: `K=V`, `K=@FILE`, `K` (of the environment), and keeping them out of texts. */
import { open } from "node:fs/promises";
import { optionValue, systemReason } from "../errors.ts";
import { bytesOfOpen, firstOf, OPEN_NOW } from "../host/file-or-pipe.ts";
import * as errors from "./deploy-errors.ts";

/** What the orchestrator takes of one value, bytes. */
const MAX_VALUE = 64 << 10;
/** Shorter values stand in any text by chance: what is hidden of them says more than it hides. */
const MIN_HIDDEN = 4;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Reads the values.
 *
 * @param texts of --secret
 * @throws E_OPTION_VALUE, E_DEPLOY_SECRET
 */
export async function readSecrets(
  texts: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<ReadonlyMap<string, string>> {
  const secrets = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf("=");
    const name = at < 0 ? text : text.slice(0, at);
    if (!NAME.test(name)) {
      const expected =
        "K=V, K=@FILE, or K for a variable of the environment; K of letters, digits and _";
      throw optionValue("secrets", expected, "a text with another name");
    }
    if (secrets.has(name)) throw errors.secret(name, "it was given twice");
    const value = at < 0 ? fromEnvironment(name, env) : await valueFrom(name, text.slice(at + 1));
    if (value === "" || value.includes("\0") || Buffer.byteLength(value) > MAX_VALUE) {
      throw errors.secret(name, "its value cannot be handed over", {
        expected: `1 to ${MAX_VALUE} bytes without NUL`,
        actual: value === "" ? "nothing" : "another text",
      });
    }
    secrets.set(name, value);
  }
  return secrets;
}

function fromEnvironment(name: string, env: NodeJS.ProcessEnv): string {
  const value = env[name];
  if (value !== undefined) return value;
  throw errors.secret(name, "the environment has no variable of that name");
}

async function valueFrom(name: string, text: string): Promise<string> {
  if (!text.startsWith("@")) return text;
  const file = text === "@-" ? "/dev/stdin" : text.slice(1);
  const value = await readFileOf(name, file);
  // An editor ends a file with a newline that nobody means.
  return value.replace(/\r?\n$/, "");
}

async function readFileOf(name: string, file: string): Promise<string> {
  try {
    const handle = await open(file, OPEN_NOW);
    try {
      const stats = await handle.stat();
      if (stats.isFile() && (stats.mode & 0o007) !== 0) {
        throw errors.secret(name, "everybody on this machine may read or change its file", {
          path: file,
          expected: "mode 600 or 640",
          actual: (stats.mode & 0o7777).toString(8),
          hint: `chmod 600 ${file}; a secret that others could read is to be replaced.`,
        });
      }
      // A byte more than is allowed.
      return (await firstOf(bytesOfOpen(handle), MAX_VALUE + 2)).toString("utf8");
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && String(cause.code).startsWith("E_"))
      throw cause;
    throw errors.secret(name, `its file cannot be read: ${systemReason(cause)}`, {
      path: file,
      cause,
    });
  }
}

/** Makes texts of others fit to be shown: one line, not too long, without what is secret. */
export class Redactor {
  #values: string[] = [];

  /** From now on these are hidden: as they are, and as JSON, an address or base64 has them. */
  hide(values: Iterable<string>): void {
    for (const value of values) {
      if (value.length < MIN_HIDDEN) continue;
      const forms = [
        value,
        JSON.stringify(value).slice(1, -1),
        encodeURIComponent(Buffer.from(value).toString("utf8")),
        Buffer.from(value).toString("base64"),
      ];
      this.#values.push(...forms, ...value.split("\n").filter((line) => line.length >= MIN_HIDDEN));
    }
    // The longest first: one may be a part of another.
    this.#values = [...new Set(this.#values)].sort((a, b) => b.length - a.length);
  }

  text(text: string): string {
    return this.#values.reduce((shown, value) => shown.replaceAll(value, "[hidden]"), text);
  }

  /** @param most characters */
  line(text: string, most = 300): string {
    const line = this.text(text).replace(/\s+/g, " ").trim();
    return line.length > most ? `${line.slice(0, most)} ...` : line;
  }
}
