// Compiles programs without running them and leaves the result in Node's compile cache.
//
//   node --hash-seed=1 --random-seed=1 warm.mjs CACHE FILE...
//
// The seeds make the same bytes each time. V8 wants to see the flags under which its code was made
// when it is used, so they are taken back before the cache is opened.
import { readFileSync } from "node:fs";
import Module, { enableCompileCache } from "node:module";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";

const [directory, ...files] = process.argv.slice(2);
setFlagsFromString("--hash-seed=0");
enableCompileCache({ directory, portable: true });

const stop = {};

/** What a module exports is asked for after it was compiled and before it runs. */
function compileScript(file) {
  const module = new Module(file, null);
  module.filename = file;
  module.paths = [];
  Object.defineProperty(module, "exports", {
    get() {
      throw stop;
    },
  });
  module._compile(readFileSync(file, "utf8"), file, "commonjs");
}

/** Modules are all compiled before the first of them runs, and the first one here throws. */
function compileModule(file) {
  const lines =
    'import "data:text/javascript,throw null";' +
    `import ${JSON.stringify(pathToFileURL(file).href)};`;
  return import(`data:text/javascript,${encodeURIComponent(lines)}`);
}

for (const entry of files) {
  const isModule = entry.startsWith("module:");
  const file = entry.slice(entry.indexOf(":") + 1);
  try {
    await (isModule ? compileModule(file) : compileScript(file));
  } catch (error) {
    if (error !== stop && error !== null) console.error(`${file}: ${error}`);
  }
}
