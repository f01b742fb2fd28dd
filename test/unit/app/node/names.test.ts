import { expect, test } from "vitest";
import { insertInto, namesToInsert } from "../../../../builder/app/node/names.ts";

/** The text with its names said in it; undefined where nothing is to be changed. */
function restoreNames(text: string, renamed: ReadonlySet<string>): string | undefined {
  const insertions = namesToInsert(text, renamed, false);
  return insertions.length === 0 ? undefined : insertInto(text, insertions);
}

/** What a module exports when everything named `x` is renamed, as a bundler would do it. */
async function load(text: string): Promise<Record<string, unknown>> {
  const restored = restoreNames(text, new Set(["x", "y"])) ?? text;
  expect(restored.split("\n").length).toBe(text.split("\n").length);
  // Names in strings, behind dots and in front of colons are no symbols.
  const renamed = restored.replace(/(?<!["'.\w])([xy])(?![\w"']|\s*:)/g, "$12");
  return import(`data:text/javascript,${encodeURIComponent(renamed)}`);
}

test.each([
  ["a class", "class x {}\nexport const a = x;", "x"],
  ["a class that extends", "class x extends Object { go() {} }\nexport const a = x;", "x"],
  ["a class with a static name", "class x { static name = 'own' }\nexport const a = x;", "own"],
  [
    "a class with a static method name",
    "class x { static name() {} }\nexport const a = x.name;",
    "name",
  ],
  ["a named class expression", "export const a = class x {};", "x"],
  ["a class in a variable", "const x = class {};\nexport const a = x;", "x"],
  [
    "a class that looks at its name",
    "class x { static seen = this.name }\nexport const a = { name: x.seen };",
    "x",
  ],
  ["a function", "export const a = x;\nfunction x() {}", "x"],
  ["a function that is used before", "export const a = { name: x.name };\nfunction x() {}", "x"],
  ["a generator", "function* x() {}\nexport const a = x;", "x"],
  ["an async function", "async function x() {}\nexport const a = x;", "x"],
  [
    "a function in a function",
    "function f() { 'use strict'; return x; function x() {} }\nexport const a = f();",
    "x",
  ],
  [
    "a function in a block",
    "let found; { found = x; function x() {} }\nexport const a = found;",
    "x",
  ],
  ["a named function expression", "export const a = function x() {};", "x"],
  [
    "a function where Object is something else",
    "function f(context) { const Object = context; return x; function x() {} }\nexport const a = f({});",
    "x",
  ],
  [
    "a function behind a directive without a semicolon",
    "function f() { 'use strict'\n return x; function x() {} }\nexport const a = f();",
    "x",
  ],
  [
    "a function behind a comment that ends with the word",
    "// a function\nfunction x() {}\n// a class\nexport const a = x;",
    "x",
  ],
  [
    "a function behind words of its own",
    "/* class */ function /* y */ x() {}\nexport const a = x;",
    "x",
  ],
  [
    "functions in what is given to others",
    "const a0 = (x = () => 1) => x;\nexport const a = a0();",
    "x",
  ],
  ["a class in a class", "class B { static made = class x {}; }\nexport const a = B.made;", "x"],
  ["an arrow", "const x = () => 1;\nexport const a = x;", "x"],
  ["an arrow in parentheses", "const x = (() => 1);\nexport const a = x;", "x"],
  [
    "an async arrow of arrows",
    "const x = async () => { const y = () => 1; return y; };\nexport const a = await x();",
    "y",
  ],
  [
    "an arrow that gives another",
    "let y; const x = () => y = () => 1;\nexport const a = x();",
    "y",
  ],
  ["an assignment", "let x; x = function () {};\nexport const a = x;", "x"],
  ["a logical assignment", "let x; x ??= () => 1;\nexport const a = x;", "x"],
  ["a default of a parameter", "const f = (x = () => 1) => x;\nexport const a = f();", "x"],
  ["a default of a destructured name", "const { x = class {} } = {};\nexport const a = x;", "x"],
])("%s keeps its name", async (_, text, name) => {
  expect((await load(text))["a"]).toHaveProperty("name", name);
});

test.each([
  ["a function", "export const early = 1;\nexport default function () { return early; }", 1],
  ["an async generator", "export default async function* () {}", undefined],
  ["an arrow", "export default () => 1;", 1],
  ["an arrow with one parameter", "export default it => it;", undefined],
  ["a class", "export default class { }", undefined],
  ["a function in parentheses", "export default (function () { return 2; });", 2],
])("%s that is the default keeps its name", async (_, text, result) => {
  const found = (await load(text))["default"] as () => unknown;
  expect(found.name).toBe("default");
  if (result !== undefined) expect(found()).toBe(result);
});

test("what is not renamed stays as it is", () => {
  expect(restoreNames("class Job {}\nconst f = () => 1;", new Set(["other"]))).toBeUndefined();
  expect(restoreNames("const x = 1; x == 2;", new Set(["x"]))).toBeUndefined();
});

test("a function that is sent elsewhere needs nothing from here", async () => {
  const { a } = await load(
    "function f() { const x = () => 1; return x.name; }\nexport const a = f;",
  );
  expect(new Function(`return (${a})()`)()).toBe("x");
});
