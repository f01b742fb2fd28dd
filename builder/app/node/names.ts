/**
 * Names of functions and classes that a bundle would change.
 *
 * One scope cannot hold two classes `Job`, so esbuild calls one of them `Job2`, and `.name` is what the
 * runtime sees of that. Here the name is said in the source, where nothing can rename it, and without a
 * helper from outside: the text of a function may run elsewhere, in a page or a worker.
 */
import type { AnyNode } from "acorn";
import { parseSource, walk } from "./parse.ts";

interface Edit extends Insertion {
  /** Closes what an edit before it opened. */
  closes: boolean;
}

/** What is put into a text; all of one text in the order of their places. */
export interface Insertion {
  /** UTF-16 units from the start of the text as it was. */
  at: number;
  text: string;
}

/**
 * What is to be put into a text, none where nothing is to be changed. Its lines stay the same.
 *
 * @param text JavaScript
 * @param renamed names that are others in the bundle
 * @param hasClass whether a class of it may be one that becomes a variable
 */
export function namesToInsert(
  text: string,
  renamed: ReadonlySet<string>,
  hasClass: boolean,
): Insertion[] {
  const places = placesToLookAt(text, renamed, hasClass);
  if (places.length === 0) return [];
  const program = parseSource(text);
  if (program === undefined) return [];
  const edits: Edit[] = [];
  walk(
    program,
    (node, above) => collect(text, node, above, renamed, edits),
    ({ start, end }) => places.some((place) => start <= place && place < end),
  );
  return inOrder(edits);
}

/**
 * A class at the top of a file that names itself inside becomes a variable with a class `_Job`.
 *
 * @param above what stands above the class
 */
function becomesVariable(text: string, node: AnyNode, above: readonly AnyNode[]): boolean {
  if (node.type !== "ClassDeclaration" || !node.id || above.length > 2) return false;
  if (above.some(({ type }) => !/^Program$|^Export/.test(type))) return false;
  return new RegExp(`(?<![\\w$])${node.id.name.replaceAll("$", "\\$")}(?![\\w$])`).test(
    text.slice(node.body.start, node.body.end),
  );
}

/** What may stand between two tokens: a regular expression, for one of them. */
export const GAP = String.raw`(?:\s|/\*[\s\S]*?\*/|//[^\n]*\n)`;
/** What stands behind a name that gets a function or a class without one, which may be in parentheses. */
export const ASSIGNED = `${GAP}*(?:\\|\\||&&|\\?\\?)?=(?!=)${GAP}*(?:\\(|(?:async|function|class)\\b|[\\w$\\x80-\\uffff]+${GAP}*=>)`;

/** A name, behind one of the words that declare it; a text in a comment takes nothing from what follows. */
const DECLARED = new RegExp(
  `\\b(?:function|class)\\b(?=(?:${GAP}|\\*)*([\\w$\\x80-\\uffff]+))`,
  "g",
);
const GIVEN = new RegExp(`(?<![\\w$\\x80-\\uffff])([\\w$\\x80-\\uffff]+)(?=${ASSIGNED})`, "g");
const DEFAULT = new RegExp(
  `\\bexport${GAP}+default\\b(?=${GAP}*(?:(?:async|function|class)\\b|\\(|[\\w$\\x80-\\uffff]+${GAP}*=>))`,
  "g",
);
const CLASS = /\bclass\b/g;

/** Where something stands that may be changed: parsing costs more than looking. */
function placesToLookAt(text: string, renamed: ReadonlySet<string>, hasClass: boolean): number[] {
  const places = [...text.matchAll(DEFAULT), ...(hasClass ? text.matchAll(CLASS) : [])];
  if (renamed.size > 0) {
    for (const pattern of [DECLARED, GIVEN]) {
      for (const found of text.matchAll(pattern))
        if (renamed.has(found[1] ?? "")) places.push(found);
    }
  }
  return places.map(({ index }) => index);
}

const quoted = (name: string) => JSON.stringify(name);
/** Object itself, whatever that name means where it is used. */
const OBJECT = "({}).constructor";
const property = (name: string) => `"name",{value:${quoted(name)},configurable:true}`;

function collect(
  text: string,
  node: AnyNode,
  above: readonly AnyNode[],
  renamed: ReadonlySet<string>,
  edits: Edit[],
): void {
  const insert = (at: number, inserted: string, closes = false) =>
    edits.push({ at, text: inserted, closes });
  const wrap = ({ start, end }: AnyNode, before: string, after: string) => {
    insert(start, before);
    insert(end, after, true);
  };
  const asProperty = (value: AnyNode, name: string) =>
    wrap(value, `({${quoted(name)}:`, `})[${quoted(name)}]`);
  switch (node.type) {
    case "FunctionDeclaration":
      if (node.id && renamed.has(node.id.name)) {
        const { name } = node.id;
        insert(scopeStart(above), `;${OBJECT}.defineProperty(${name},${property(name)});`);
      }
      return;
    case "FunctionExpression":
      if (node.id && renamed.has(node.id.name)) {
        wrap(node, `${OBJECT}.defineProperty(`, `,${property(node.id.name)})`);
      }
      return;
    case "ClassDeclaration":
    case "ClassExpression":
      if (
        node.id &&
        (renamed.has(node.id.name) || becomesVariable(text, node, above)) &&
        !namesItself(node.body.body)
      ) {
        const { name } = node.id;
        insert(node.body.start + 1, `static{${OBJECT}.defineProperty(this,${property(name)});}`);
      }
      return;
    case "VariableDeclarator":
      if (node.init) nameValue(node.id, node.init);
      return;
    case "AssignmentPattern":
      nameValue(node.left, node.right);
      return;
    case "AssignmentExpression":
      if (/^(?:=|\|\|=|&&=|\?\?=)$/.test(node.operator)) nameValue(node.left, node.right);
      return;
    case "ExportDefaultDeclaration": {
      const value = node.declaration;
      if (value.type === "FunctionDeclaration" && value.id === null) {
        // Its words are commented out below.
        if (text.slice(node.start, value.start).includes("*/")) return;
        const head = /^(?:async\s+)?function\s*\*?/.exec(text.slice(value.start))?.[0] ?? "";
        edits.push({
          at: node.start,
          text: "export{__fuselage_default as default};",
          closes: false,
        });
        insert(value.start + head.length, " __fuselage_default");
        insert(
          scopeStart(above),
          `;${OBJECT}.defineProperty(__fuselage_default,${property("default")});`,
        );
        insert(node.start, "/*");
        insert(value.start, "*/", true);
      } else if (isAnonymous(value)) asProperty(value, "default");
      return;
    }
    default:
  }

  function nameValue(target: AnyNode, value: AnyNode): void {
    if (target.type === "Identifier" && renamed.has(target.name) && isAnonymous(value)) {
      asProperty(value, target.name);
    }
  }
}

function isAnonymous(node: AnyNode): boolean {
  if (node.type === "ArrowFunctionExpression") return true;
  return (
    (node.type === "FunctionExpression" ||
      node.type === "ClassExpression" ||
      node.type === "ClassDeclaration") &&
    node.id === null
  );
}

/** A static member `name` is what the class says of itself. */
function namesItself(members: readonly AnyNode[]): boolean {
  return members.some(
    (member) =>
      (member.type === "MethodDefinition" || member.type === "PropertyDefinition") &&
      member.static &&
      !member.computed &&
      ((member.key.type === "Identifier" && member.key.name === "name") ||
        (member.key.type === "Literal" && member.key.value === "name")),
  );
}

/** Where functions of the innermost block already exist: behind its directives. */
function scopeStart(above: readonly AnyNode[]): number {
  const block = above.findLast(
    ({ type }) => type === "Program" || type === "BlockStatement" || type === "StaticBlock",
  );
  if (block === undefined || !("body" in block) || !Array.isArray(block.body)) return 0;
  const body = block.body as AnyNode[];
  const first = body.find((one) => !("directive" in one && one.directive));
  return first?.start ?? block.end - 1;
}

/** At one place the inner closes first, and what closes stands before what opens. */
function inOrder(edits: readonly Edit[]): Insertion[] {
  return edits
    .map((edit, i) => ({ ...edit, i }))
    .sort((a, b) => {
      if (a.at !== b.at) return a.at - b.at;
      if (a.closes !== b.closes) return a.closes ? -1 : 1;
      return a.closes ? b.i - a.i : a.i - b.i;
    })
    .map(({ at, text }) => ({ at, text }));
}

/** The text with what `namesToInsert` found. */
export function insertInto(text: string, insertions: readonly Insertion[]): string {
  let result = "";
  let done = 0;
  for (const { at, text: inserted } of insertions) {
    result += text.slice(done, at) + inserted;
    done = at;
  }
  return result + text.slice(done);
}
