/**
 * Files that a build instantiates stand in templates/, never in code.
 *
 * A placeholder is `{{name}}`, `{{name:shell}}` (one word for sh), `{{name:json}}` (a JSON, and so a
 * JavaScript, string), `{{name:yaml}}` (a double-quoted scalar of YAML), `{{name:xml}}` (text or
 * attribute) or `{{name:desktop}}` (a string in a desktop entry). A list puts the line that it is on there
 * once for each of its values, and a line with a value that is undefined is left out. A template and its
 * values must name the same things: what only one of them has is a mistake of ours, not of the user's.
 *
 * That is all that is needed, and it is why no library of templates does this: those that are
 * well kept escape for HTML alone, and pass over names that they do not know.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import * as errors from "../errors.ts";
import { templatesPath } from "./paths.ts";

const quoted = {
  shell: (text: string) => `'${text.replaceAll("'", `'\\''`)}'`,
  json: (text: string) => JSON.stringify(text),
  yaml: (text: string) => yamlString(text),
  xml: (text: string) => text.replace(/[<>&"']/g, (char) => `&#${char.charCodeAt(0)};`),
  desktop: (text: string) => text.replaceAll("\\", "\\\\").replace(/^ /, "\\s"),
};

/** What a line may have in the place of a placeholder. */
export type TemplateValue = string | readonly string[] | undefined;

/**
 * A string of YAML 1.2, which is one of JSON too. Of what JSON leaves as it is, YAML takes the line
 * separators as the end of a line, and control characters not at all.
 */
export function yamlString(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

const isQuoting = (name: string): name is keyof typeof quoted => Object.hasOwn(quoted, name);

/**
 * The text of a template with its placeholders replaced.
 *
 * @param name path below templates/
 * @throws E_INTERNAL when a placeholder has no value, or a value no placeholder
 */
export function renderTemplate(
  name: string,
  values: Readonly<Record<string, TemplateValue>>,
): string {
  const text = readFileSync(path.join(templatesPath(), name), "utf8");
  return fillTemplate(text, values, name);
}

/**
 * `renderTemplate` for a text; `name` is for messages.
 *
 * @internal
 */
export function fillTemplate(
  text: string,
  values: Readonly<Record<string, TemplateValue>>,
  name: string,
): string {
  const wrong = (what: string) => errors.internal(new Error(`templates/${name}: ${what}`));
  const used = new Set<string>();
  const filled = text.split(/(?<=\n)/).map((line) => {
    const listed = repeated(line, values);
    if (listed.length > 1) throw wrong(`two lists on one line, ${listed.join(" and ")}`);
    const [list = ""] = listed;
    const turns = listed.length === 0 ? [values] : turnsOf(values, list);
    const lines = turns.map((turn) => fillLine(line, turn, used, wrong)).join("");
    if (turns.length === 0) fillLine(line, { ...values, [list]: "" }, used, wrong);
    return lines;
  });
  const unused = Object.keys(values).filter((key) => !used.has(key));
  if (unused.length > 0) throw wrong(`it has no place for ${unused.join(", ")}`);
  return filled.join("");
}

const PLACEHOLDER = /\{\{(.*?)\}\}/g;

/** Names of lists on a line. */
function repeated(line: string, values: Readonly<Record<string, TemplateValue>>): string[] {
  const names = [...line.matchAll(PLACEHOLDER)].map(([, inside = ""]) => inside.replace(/:.*/, ""));
  return [...new Set(names)].filter(
    (name) => Object.hasOwn(values, name) && Array.isArray(values[name]),
  );
}

function turnsOf(values: Readonly<Record<string, TemplateValue>>, list: string) {
  const items = values[list] as readonly string[];
  return items.map((item) => ({ ...values, [list]: item }));
}

/** The line; "" where a value of it is undefined. */
function fillLine(
  line: string,
  values: Readonly<Record<string, TemplateValue>>,
  used: Set<string>,
  wrong: (what: string) => Error,
): string {
  let isLeftOut = false;
  const filled = line.replace(PLACEHOLDER, (placeholder, inside: string) => {
    const [, key = "", quoting] = /^([a-z][A-Za-z0-9]*)(?::([a-z]+))?$/.exec(inside) ?? [];
    if (!Object.hasOwn(values, key)) throw wrong(`nothing is known of ${placeholder}`);
    used.add(key);
    if (quoting !== undefined && !isQuoting(quoting)) {
      throw wrong(`there is no such quoting as in ${placeholder}`);
    }
    const value = values[key];
    if (typeof value !== "string") {
      isLeftOut = true;
      return "";
    }
    return quoting === undefined ? value : quoted[quoting](value);
  });
  return isLeftOut ? "" : filled;
}
