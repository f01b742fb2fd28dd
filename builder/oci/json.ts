/** JSON of foreign hands: nothing of it is believed to be of the type that the specification says. */
import * as errors from "../errors.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * @param shown the document, for messages
 * @throws E_OCI_INVALID where it is no JSON or no object
 */
export function parseObject(bytes: Buffer, shown: string): JsonObject {
  const value = parse(bytes, shown);
  return isObject(value) ? value : raise(shown, "", "an object", value);
}

export function parse(bytes: Buffer, shown: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw errors.ociInvalid(shown, "is no JSON text", { cause });
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** One document, of which members are taken with their types; null is as good as nothing, as in Go. */
export class Document {
  readonly shown: string;
  readonly #object: JsonObject;
  readonly #at: string;

  constructor(object: JsonObject, shown: string, at = "") {
    this.#object = object;
    this.shown = shown;
    this.#at = at;
  }

  has(key: string): boolean {
    return this.#value(key) !== undefined;
  }

  #value(key: string): unknown {
    return Object.hasOwn(this.#object, key) ? (this.#object[key] ?? undefined) : undefined;
  }

  #wrong(key: string, expected: string, value: unknown): never {
    return raise(this.shown, `${this.#at}${key}`, expected, value);
  }

  text(key: string): string | undefined {
    const value = this.#value(key);
    if (value !== undefined && typeof value !== "string") this.#wrong(key, "a text", value);
    return value as string | undefined;
  }

  needText(key: string): string {
    return this.text(key) ?? this.#wrong(key, "a text", undefined);
  }

  /** A whole number, 0 or more. */
  needSize(key: string): number {
    const value = this.#value(key);
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    return this.#wrong(key, "a whole number of bytes", value);
  }

  texts(key: string): string[] {
    const value = this.#value(key) ?? [];
    const isList = Array.isArray(value) && value.every((one) => typeof one === "string");
    return isList ? (value as string[]) : this.#wrong(key, "a list of texts", value);
  }

  /** Texts by their names. */
  map(key: string): Record<string, string> {
    const value = this.#value(key) ?? {};
    const isMap = isObject(value) && Object.values(value).every((one) => typeof one === "string");
    return isMap ? { ...(value as Record<string, string>) } : this.#wrong(key, "texts", value);
  }

  /** Names of an object whose values say nothing, as Go writes a set. */
  keys(key: string): string[] {
    const value = this.#value(key) ?? {};
    return isObject(value) ? Object.keys(value) : this.#wrong(key, "an object", value);
  }

  object(key: string): Document | undefined {
    const value = this.#value(key);
    if (value === undefined) return undefined;
    if (!isObject(value)) return this.#wrong(key, "an object", value);
    return new Document(value, this.shown, `${this.#at}${key}.`);
  }

  needObject(key: string): Document {
    return this.object(key) ?? this.#wrong(key, "an object", undefined);
  }

  objects(key: string): Document[] {
    const value = this.#value(key) ?? [];
    if (!Array.isArray(value)) return this.#wrong(key, "a list", value);
    return value.map((one, i) => {
      const at = `${key}[${i}]`;
      if (!isObject(one)) return this.#wrong(at, "an object", one);
      return new Document(one, this.shown, `${this.#at}${at}.`);
    });
  }
}

function raise(shown: string, key: string, expected: string, value: unknown): never {
  const what = key === "" ? "is no JSON object" : `has something else as ${key}`;
  const actual = value === undefined ? "nothing" : (JSON.stringify(value) ?? "").slice(0, 80);
  throw errors.ociInvalid(shown, what, { expected, actual });
}
