/** Names of types in JavaScript that was compiled file by file. */
import type { AnyNode, ImportDeclaration } from "acorn";
import { parseSource } from "./parse.ts";

/**
 * A module that does not import or pass on `name` any more; where it was imported it is undefined.
 *
 * @param name as the other module would call it
 * @returns the text with the same lines; undefined where the name is not there
 */
export function withoutImport(text: string, name: string): string | undefined {
  const program = parseSource(text);
  const locals: string[] = [];
  const cuts: [number, number][] = [];
  for (const statement of program?.body ?? []) {
    if (statement.type === "ImportDeclaration") {
      for (const [one, local] of imported(statement, name)) {
        cuts.push(specifierRange(text, one));
        locals.push(local);
      }
    } else if (statement.type === "ExportNamedDeclaration" && statement.source) {
      for (const one of statement.specifiers)
        if (nameOf(one.local) === name) cuts.push(specifierRange(text, one));
    }
  }
  if (cuts.length === 0) return undefined;
  let rest = text;
  for (const [start, end] of cuts.reverse()) {
    const lines = text.slice(start, end).replace(/[^\n]/g, "");
    rest = rest.slice(0, start) + lines + rest.slice(end);
  }
  return locals.length === 0 ? rest : `var ${locals.join(", ")};${rest}`;
}

function imported({ specifiers }: ImportDeclaration, name: string): [AnyNode, string][] {
  return specifiers.flatMap((one): [AnyNode, string][] =>
    one.type === "ImportSpecifier" && nameOf(one.imported) === name ? [[one, one.local.name]] : [],
  );
}

function nameOf(node: AnyNode): string | undefined {
  if (node.type === "Identifier") return node.name;
  return node.type === "Literal" ? String(node.value) : undefined;
}

/** With the comma behind it, or else the one in front. */
function specifierRange(text: string, { start, end }: AnyNode): [number, number] {
  const [behind] = /^\s*,/.exec(text.slice(end)) ?? [];
  return [start, end + (behind?.length ?? 0)];
}
