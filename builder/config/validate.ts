/**
 * What options take, for the command line, the configuration file and the library alike.
 *
 * The rules are data: rows of scripts/spec/options.json. A function of the library checks what it is
 * given; the command line has only turned its texts into values by then, and leaves those that it
 * cannot read as they are.
 */
import * as errors from "../errors.ts";
import { optionRules } from "../generated/spec.ts";
import { LEVELS, variantsOf } from "../squashfs/squashfs-options.ts";
import { type ImageChoices, levelFor } from "./image-options.ts";
import { nearest } from "./nearest-name.ts";
import { checkedPermissions } from "./permissions.ts";
import { shownValue } from "./shown-value.ts";

export type CommandName = keyof typeof optionRules;

/** What one option takes. */
interface Rule {
  readonly type: "string" | "boolean" | "integer" | "list" | "object";
  readonly choices?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  readonly powerOfTwo?: boolean;
  readonly pattern?: string;
  readonly maxBytes?: number;
  /** Of a list: whether a text in it may have no characters. */
  readonly mayBeEmpty?: boolean;
  /** The same in words. */
  readonly expected?: string;
}

/** What a library takes besides: it has no place in a file or on a command line. */
const callbacks: Readonly<Record<string, { expected: string; fits(value: unknown): boolean }>> = {
  onFetch: { expected: "a function", fits: (value) => typeof value === "function" },
  onProgress: { expected: "a function", fits: (value) => typeof value === "function" },
  onReport: { expected: "a function", fits: (value) => typeof value === "function" },
  onStep: { expected: "a function", fits: (value) => typeof value === "function" },
  signal: { expected: "an AbortSignal", fits: (value) => value instanceof AbortSignal },
};

/**
 * Checks the options of a function by the rules of the command that it is. A value that is undefined
 * was not given.
 *
 * @param more keys of callbacks that the function takes
 * @throws E_OPTION_UNKNOWN, E_OPTION_VALUE
 */
export function checkOptions(
  command: CommandName,
  options: object,
  more: readonly string[] = [],
): void {
  const rules: Readonly<Record<string, Rule>> = optionRules[command];
  for (const [key, value] of Object.entries(options)) {
    const callback = more.includes(key) ? callbacks[key] : undefined;
    if (callback === undefined) {
      if (!Object.hasOwn(rules, key)) {
        throw errors.optionUnknown(key, nearest(key, Object.keys(rules)));
      }
      checkOption(command, key, value);
    } else if (value !== undefined && !callback.fits(value)) {
      throw errors.optionValue(key, callback.expected, shownValue(value));
    }
  }
}

/**
 * Checks one value.
 *
 * @param file the configuration file that holds it
 * @throws E_OPTION_VALUE, and of permissions E_SANDBOX_RULE, E_SANDBOX_CONFLICT
 */
export function checkOption(
  command: CommandName,
  key: string,
  value: unknown,
  file?: string,
): void {
  if (value === undefined) return;
  const rules: Readonly<Record<string, Rule>> = optionRules[command];
  const rule = rules[key];
  if (rule === undefined) throw errors.internal(new Error(`${command} has no option ${key}`));
  const refuse = (expected: string, actual: unknown) =>
    errors.optionValue(key, expected, shownValue(actual), file);
  if (rule.type === "object") {
    checkedPermissions(value, file);
    return;
  }
  if (rule.type !== "list") {
    if (!fits(rule, value)) throw refuse(expectation(rule, value), value);
    return;
  }
  if (!Array.isArray(value)) throw refuse("a list", value);
  for (const item of value) {
    if (!fits(rule, item)) throw refuse(expectation(rule, item), item);
  }
}

/**
 * Checks what choices about an image have to do with each other.
 *
 * @throws E_OPTION_VALUE, E_OPTION_CONFLICT
 */
export function checkImageChoices(choices: ImageChoices): void {
  checkLevel(choices);
  checkVariants(choices);
  checkCompress(choices);
  if (choices.keepOwners && choices.owner !== undefined) {
    throw errors.optionConflict((name) => `${name("keepOwners", true)}, and ${name("owner")}`);
  }
}

function checkCompress({ compression = "zstd", compress = [] }: ImageChoices): void {
  for (const text of compress) {
    const { codec, level } = levelFor(text);
    const refuse = (expected: string) => errors.optionValue("compress", expected, shownValue(text));
    if (compression === "none") throw refuse("nothing where nothing is compressed");
    if (codec !== compression) {
      throw refuse(`a level of ${compression}, the one codec of the image`);
    }
    const { min, max } = LEVELS[compression];
    if (!(level >= min && level <= max)) {
      throw refuse(`a level from ${min} to ${max} for ${compression}`);
    }
  }
}

function checkVariants({ compression = "zstd", variants = [] }: ImageChoices): void {
  const known = Object.keys(variantsOf(compression));
  const strange = variants.find((name) => !known.includes(name));
  if (strange === undefined) return;
  const expected =
    known.length === 0
      ? `nothing with ${compression}, which has one way; xz and gzip have more`
      : `${known.join(", ")} with ${compression}`;
  throw errors.optionValue("variants", expected, strange);
}

function checkLevel({ compression = "zstd", level }: ImageChoices): void {
  if (level === undefined) return;
  if (compression === "none") {
    throw errors.optionValue("level", "no level, because none compresses nothing", `${level}`);
  }
  const { min, max } = LEVELS[compression];
  if (level >= min && level <= max) return;
  throw errors.optionValue("level", `a level from ${min} to ${max} for ${compression}`, `${level}`);
}

function fits(rule: Rule, value: unknown): boolean {
  if (rule.choices !== undefined) return rule.choices.some((one) => one === value);
  if (rule.type === "boolean") return typeof value === "boolean";
  return rule.type === "integer" ? fitsNumber(rule, value) : fitsText(rule, value);
}

function fitsNumber(
  { min = -Infinity, max = Infinity, powerOfTwo }: Rule,
  value: unknown,
): boolean {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) return false;
  return value >= min && value <= max && (!powerOfTwo || Number.isInteger(Math.log2(value)));
}

function fitsText({ pattern, maxBytes = Infinity, mayBeEmpty }: Rule, value: unknown): boolean {
  if (typeof value !== "string" || value.includes("\0")) return false;
  if (Buffer.byteLength(value) > maxBytes) return false;
  if (pattern !== undefined) return new RegExp(pattern, "u").test(value);
  return mayBeEmpty || value !== "";
}

function expectation(rule: Rule, value: unknown): string {
  if (typeof value === "string" && value.includes("\0")) return "text without NUL";
  if (rule.expected !== undefined) return rule.expected;
  if (rule.choices !== undefined) return rule.choices.join(rule.choices.length > 2 ? ", " : " or ");
  switch (rule.type) {
    case "boolean":
      return "true or false";
    case "integer":
      return `a whole number from ${rule.min} to ${rule.max}`;
    case "list":
      return typeof value === "string" ? "a text that is not empty" : "a list of texts";
    default:
      return "a text that is not empty";
  }
}
