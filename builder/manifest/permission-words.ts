/** Permissions in plain words, as `--bundle-info` prints them too: scripts/spec/permissions.json. */
import { permissionAccess, permissionPlaces, permissionRules } from "../generated/spec.ts";

interface Worded {
  readonly name: string;
  readonly text: string;
  readonly value?: string;
}

const rules: readonly Worded[] = permissionRules;

const textOf = (list: readonly Worded[], name: string) =>
  list.find((one) => one.name === name)?.text;

/**
 * One rule, as "connects to TCP port 443".
 *
 * @param rule as a record has it
 */
export function permissionWords(rule: string): string {
  if (rule === "everything") return "all that its user may do: it has no sandbox";
  if (rule === "no pid") return "sees the processes of the machine";
  if (rule === "no netns") return "is in the network of the machine";
  const [, place = "", access = ""] = /^fs (.*) (ro|rw)$/s.exec(rule) ?? [];
  if (place !== "") {
    return `${textOf(permissionAccess, access)} ${textOf(permissionPlaces, place) ?? place}`;
  }
  const found = rules.find(({ name, value }) =>
    value === undefined ? rule === name : rule.startsWith(`${name} `),
  );
  if (found === undefined) return rule;
  return found.value === undefined ? found.text : found.text + rule.slice(found.name.length);
}
