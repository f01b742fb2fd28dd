import { describe, expect, test } from "vitest";
import { suspect } from "../../../../builder/app/node/suspects.ts";

describe("what changes how modules are loaded", () => {
  test.each([
    ["Module._load = function () {}", "Module._load"],
    ["Module._resolveFilename = (name) => name", "Module._resolveFilename"],
    ["Module.prototype.require = patched", "Module.prototype.require"],
    ["const m = new Module.Module(); module.constructor._load = x", "module.constructor._load"],
    ["Module._extensions['.ts'] = compile", "Module._extensions['.ts']"],
    ["require.extensions['.x'] = read", "require.extensions['.x']"],
    ["shimmer.wrap(Module, '_load', hook)", "wrap"],
    ["delete require.cache[name]", "delete require.cache"],
    ["require.cache[name] = { exports: {} }", "require.cache[name]"],
    ["var cache = require.cache; for (const k in cache) delete cache[k];", "cache = require.cache"],
    ["module.register('./hooks.mjs')", "module.register"],
    ["registerHooks({ resolve })", "registerHooks"],
    ["register('./hooks.mjs', import.meta.url)", "register"],
  ])("%s", (text, words) => {
    expect(suspect(text).hook).toBe(words);
  });

  test.each([
    "if (Module._load === known) x()",
    "const keys = Object.keys(require.cache)",
    "const file = Module._resolveFilename(name)",
    "app.register(plugin, { prefix: '/' })",
    "registry._load = true",
    "this._extensions[name] = one",
  ])("not: %s", (text) => {
    expect(suspect(text).hook).toBeUndefined();
  });
});

test("a look at what has been loaded is no change", () => {
  expect(suspect("Object.keys(require.cache)")).toEqual({ readsCache: true });
});
