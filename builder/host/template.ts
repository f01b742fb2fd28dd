/**
 * Files that a build instantiates stand in templates/, never in code.
 *
 * A placeholder is `{{name}}`, `{{name:shell}}` (one word for sh), `{{name:json}}` (a JSON, and so a
 * JavaScript, string), `{{name:xml}}` (text or attribute) or `{{name:desktop}}` (a string in a
 * desktop entry). A template and its values must name the same things: what only one of
 * them has is a mistake of ours, not of the user's.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import * as errors from "../errors.ts";
import { templatesPath } from "./paths.ts";

const quoted = {
  shell: (text: string) => `'${text.replaceAll("'", `'\\''`)}'`,
  json: (text: string) => JSON.stringify(text),
  xml: (text: string) => text.replace(/[<>&"']/g, (char) => `&#${char.charCodeAt(0)};`),
  desktop: (text: string) => text.replaceAll("\\", "\\\\").replace(/^ /, "\\s"),
};

const isQuoting = (name: string): name is keyof typeof quoted => Object.hasOwn(quoted, name);

/**
 * The text of a template with its placeholders replaced.
 *
 * @param name path below templates/
 * @throws E_INTERNAL when a placeholder has no value, or a value no placeholder
 */
export function renderTemplate(name: string, values: Readonly<Record<string, string>>): string {
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
  values: Readonly<Record<string, string>>,
  name: string,
): string {
  const wrong = (what: string) => errors.internal(new Error(`templates/${name}: ${what}`));
  const used = new Set<string>();
  const filled = text.replace(/\{\{(.*?)\}\}/g, (placeholder, inside: string) => {
    const [, key = "", quoting] = /^([a-z][A-Za-z0-9]*)(?::([a-z]+))?$/.exec(inside) ?? [];
    const value = Object.hasOwn(values, key) ? values[key] : undefined;
    if (value === undefined) throw wrong(`nothing is known of ${placeholder}`);
    used.add(key);
    if (quoting === undefined) return value;
    if (!isQuoting(quoting)) throw wrong(`there is no such quoting as in ${placeholder}`);
    return quoted[quoting](value);
  });
  const unused = Object.keys(values).filter((key) => !used.has(key));
  if (unused.length > 0) throw wrong(`it has no place for ${unused.join(", ")}`);
  return filled;
}
