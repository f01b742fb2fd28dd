// The file that Node is given where something is to be done before the app's program: it sets up the start
// and becomes that program. Must cost next to nothing.
//
//   node [FLAG...] start.cjs [--require FILE]... PROGRAM [ARGUMENT...]
//
// Node's own --require resolves from the current folder, even an absolute path: it would read the
// package.json that stands there, and not start at all where that is damaged or may not be read.
"use strict";

const { accessSync, chmodSync, constants, existsSync, mkdirSync, symlinkSync } = require("node:fs");
const Module = require("node:module");

function isWritable(file) {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function makeFolder(folder) {
  mkdirSync(folder);
  chmodSync(folder, 0o700); // Whatever the umask is.
}

/**
 * The temporary folder of this start, or where the mount is an earlier start's, the one beside that: it
 * goes with the mount.
 */
function besideImage({ FUSELAGE_TMPDIR: memory, FUSELAGE_BUNDLE_DIR: image }) {
  const [, start] = /^(.*)\/static\/[^/]+$/.exec(image) ?? [];
  // Another bundle's variables say nothing of this one.
  const isOwn = start !== undefined && `${image}/node` === __dirname;
  return memory !== undefined && isOwn ? `${start}/tmp` : memory;
}

/**
 * Node looks for compiled code in a folder whose name holds its version, the processor and the user.
 * The image has one for all, so this start gets a folder of its own, in memory, with a link to it.
 * Code is found by its place relative to that folder, which is the same at every start. Children and
 * threads find it by the variables that Node has for it; only those of this Node have a use for it,
 * so nothing else may be put there.
 */
function useCompileCache() {
  const { env } = process;
  const memory = besideImage(env);
  if (memory === undefined || env.NODE_DISABLE_COMPILE_CACHE || env.NODE_COMPILE_CACHE) return;
  // Node adds what it compiles where it can, and an extracted or writable image must not grow.
  if (isWritable(`${__dirname}/compile-cache`)) return;
  const tag = require("node:v8").cachedDataVersionTag().toString(16).padStart(8, "0");
  const directory = `${memory}/node`;
  const name = `${process.version}-${process.arch}-${tag}-${process.getuid()}`;
  try {
    if (!existsSync(memory)) makeFolder(memory);
    makeFolder(directory);
    symlinkSync(`${__dirname}/compile-cache`, `${directory}/${name}`);
    chmodSync(directory, 0o500);
  } catch (error) {
    // Another process of this app was first; anything else means a start without the cache.
    if (error.code !== "EEXIST") return;
  }
  Module.enableCompileCache({ directory, portable: true });
  env.NODE_COMPILE_CACHE = directory;
  env.NODE_COMPILE_CACHE_PORTABLE = "1";
}

/** Takes what stands before the program off the command line, as Node does with its own flags. */
function preloadedFiles() {
  const { argv, execArgv } = process;
  const files = [];
  argv.splice(1, 1);
  while (argv[1] === "--require") {
    const [flag, file] = argv.splice(1, 2);
    // Children that are started with the same flags load them too.
    execArgv.push(flag, file);
    files.push(file);
  }
  return files;
}

/** Nothing tells the program that another file was started before it. */
function forgetThisFile() {
  delete Module._cache[__filename];
  for (const key of Object.keys(Module._pathCache)) {
    if (Module._pathCache[key] === __filename) delete Module._pathCache[key];
  }
  delete process.mainModule;
  delete Module.prototype.require.main;
}

const files = preloadedFiles();
if (existsSync(`${__dirname}/compile-cache`)) useCompileCache();
forgetThisFile();
for (const file of files) Module.createRequire(file)(file);
/^/.exec(""); // RegExp.lastMatch is empty, as Node leaves it.
Module.runMain();
