/** JavaScript as Node's own parser takes it, where esbuild's messages are not enough. */
import { readFileSync } from "node:fs";
import { type AnyNode, type Options, type Program, parse } from "acorn";
import type { Loading } from "./resolution.ts";

const OPTIONS: Options = {
  ecmaVersion: "latest",
  allowHashBang: true,
  allowReturnOutsideFunction: true,
  allowAwaitOutsideFunction: false,
  locations: false,
};

/** As a CommonJS file, which is sloppy, else as a module; undefined when it is neither. */
export function parseSource(text: string): Program | undefined {
  for (const sourceType of ["script", "module"] as const) {
    try {
      return parse(text, {
        ...OPTIONS,
        sourceType,
        allowAwaitOutsideFunction: sourceType === "module",
      });
    } catch {
      // It is the other kind, or is damaged.
    }
  }
  return undefined;
}

export function canParse(file: string): boolean {
  return /\.[cm]?js$|\/[^./]+$/.test(file) && parseSource(readFileSync(file, "utf8")) !== undefined;
}

/**
 * Calls `visit` for a node and all below it, with what stands above.
 *
 * @param enters whether what is below a node is to be looked at; all is without it
 */
export function walk(
  node: AnyNode,
  visit: (node: AnyNode, above: AnyNode[]) => void,
  enters: (node: AnyNode) => boolean = () => true,
): void {
  const above: AnyNode[] = [];
  const enter = (at: AnyNode) => {
    visit(at, above);
    above.push(at);
    for (const value of Object.values(at)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        if (typeof child !== "object" || child === null || typeof child.type !== "string") continue;
        if (enters(child as AnyNode)) enter(child as AnyNode);
      }
    }
    above.pop();
  };
  enter(node);
}

/** Whether a file is prepared for a name that leads nowhere: it tries it, or looks at what it gets. */
export function isGuarded(file: string, name: string, loading: Loading): boolean {
  const program = parseSource(readFileSync(file, "utf8"));
  if (program === undefined) return false;
  let guarded = false;
  let bare = false;
  walk(program, (node, above) => {
    if (!asksFor(node, name, loading)) return;
    const tried = above.some(
      (at, i) => at.type === "TryStatement" && at.handler && above[i + 1] === at.block,
    );
    const parent = above.at(-1);
    const caught =
      parent?.type === "MemberExpression" &&
      parent.property.type === "Identifier" &&
      ["catch", "then"].includes(parent.property.name);
    if (tried || caught) guarded = true;
    else bare = true;
  });
  return guarded && !bare;
}

function asksFor(node: AnyNode, name: string, loading: Loading): boolean {
  if (node.type === "ImportExpression") {
    return loading === "import" && node.source.type === "Literal" && node.source.value === name;
  }
  if (node.type === "CallExpression" && loading === "require") {
    const [argument] = node.arguments;
    const { callee } = node;
    const isRequire =
      (callee.type === "Identifier" && callee.name === "require") ||
      (callee.type === "MemberExpression" &&
        callee.object.type === "Identifier" &&
        callee.object.name === "require");
    return isRequire && argument?.type === "Literal" && argument.value === name;
  }
  const isStatement =
    node.type === "ImportDeclaration" ||
    node.type === "ExportAllDeclaration" ||
    node.type === "ExportNamedDeclaration";
  return isStatement && loading === "import" && node.source?.value === name;
}
