/**
 * Modules that import each other, where one reads what the other has not yet set.
 *
 * Node throws then. A bundler makes variables of constants and classes, and such a read gives undefined.
 */
import { readFileSync } from "node:fs";
import type { AnyNode } from "acorn";
import type { Analysis } from "./analyse.ts";
import { parseSource, walk } from "./parse.ts";
import { TYPED } from "./resolve-plugin.ts";

/** @returns by file: what it reads too early */
export function earlyReads(
  { imports, modules }: Pick<Analysis, "imports" | "modules">,
  entry: string,
): Map<string, string> {
  const next = (file: string) =>
    (imports.get(file) ?? []).filter((one) => !one.isLater && modules.has(one.file));
  const { order, cycles } = evaluate(entry, next);
  const found = new Map<string, string>();
  for (const file of cycles) {
    if (TYPED.test(file)) continue;
    const later = new Set(
      next(file).flatMap((one) =>
        cycles.has(one.file) && (order.get(one.file) ?? 0) > (order.get(file) ?? 0)
          ? [one.name]
          : [],
      ),
    );
    const name = later.size === 0 ? undefined : readAtOnce(readFileSync(file, "utf8"), later);
    if (name !== undefined) found.set(file, name);
  }
  return found;
}

/** When each module runs, and which of them lie on a way from a module back to itself. */
function evaluate(entry: string, next: (file: string) => readonly { file: string }[]) {
  const order = new Map<string, number>();
  const cycles = new Set<string>();
  // Tarjan's strongly connected components; a module runs when all it imports has been visited.
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  const work: { file: string; at: number; imported: readonly { file: string }[] }[] = [];
  const enter = (file: string) => {
    index.set(file, index.size);
    low.set(file, index.size - 1);
    open.push(file);
    isOpen.add(file);
    work.push({ file, at: 0, imported: next(file) });
  };
  const lower = (file: string, to: number | undefined) =>
    low.set(file, Math.min(low.get(file) ?? 0, to ?? 0));
  enter(entry);
  for (let top = work.at(-1); top !== undefined; top = work.at(-1)) {
    const { file } = top;
    const child = top.imported[top.at++]?.file;
    if (child !== undefined) {
      if (!index.has(child)) enter(child);
      else if (isOpen.has(child)) lower(file, index.get(child));
      continue;
    }
    work.pop();
    order.set(file, order.size);
    const parent = work.at(-1)?.file;
    if (parent !== undefined) lower(parent, low.get(file));
    if (low.get(file) !== index.get(file)) continue;
    const component = open.splice(open.indexOf(file));
    for (const member of component) isOpen.delete(member);
    if (component.length > 1) for (const member of component) cycles.add(member);
  }
  return { order, cycles };
}

/** A name that a module imports from one of `sources` and reads while it runs, not in a function. */
function readAtOnce(text: string, sources: ReadonlySet<string>): string | undefined {
  const program = parseSource(text);
  const names = new Set<string>();
  for (const one of program?.body ?? []) {
    if (one.type !== "ImportDeclaration" || !sources.has(String(one.source.value))) continue;
    for (const { local } of one.specifiers) names.add(local.name);
  }
  if (program === undefined || names.size === 0) return undefined;
  let found: string | undefined;
  walk(program, (node, above) => {
    if (node.type !== "Identifier" || !names.has(node.name) || found !== undefined) return;
    if (isRead(node, above) && !above.some((at, i) => isDeferred(at, above[i + 1] ?? node))) {
      found = node.name;
    }
  });
  return found;
}

function isRead(node: AnyNode, above: readonly AnyNode[]): boolean {
  const parent = above.at(-1);
  if (parent === undefined || /^(?:Im|Ex)port.*Specifier$/.test(parent.type)) return false;
  if (parent.type === "MemberExpression") return parent.object === node || parent.computed;
  const hasKey =
    parent.type === "Property" ||
    parent.type === "PropertyDefinition" ||
    parent.type === "MethodDefinition";
  return (
    !hasKey || parent.key !== node || parent.computed || ("shorthand" in parent && parent.shorthand)
  );
}

/** Whether `child` of a node runs later than what is around the node. */
function isDeferred(node: AnyNode, child: AnyNode): boolean {
  if (/Function/.test(node.type)) return true;
  return node.type === "PropertyDefinition" && !node.static && node.value === child;
}
