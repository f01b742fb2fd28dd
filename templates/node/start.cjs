// Loaded before the app, in every process and thread of it. Must cost next to nothing.
"use strict";

const fs = require("node:fs");

const { accessSync, constants, existsSync, mkdirSync, readFileSync, symlinkSync } = fs;

const image = require("node:path").dirname(__dirname);

function isWritable(file) {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Node looks for compiled code in a folder whose name holds its version, the processor and the user.
 * The image has one for all, so this start gets a folder of its own, in memory, with a link to it.
 * Code is found by its place relative to that folder, which is the same at every start.
 */
function useCompileCache() {
  const memory = process.env.FUSELAGE_TMPDIR;
  if (memory === undefined || process.env.NODE_DISABLE_COMPILE_CACHE) return;
  // Node adds what it compiles where it can, and an extracted or writable image must not grow.
  if (isWritable(`${__dirname}/compile-cache`)) return;
  const { enableCompileCache } = require("node:module");
  const tag = require("node:v8").cachedDataVersionTag().toString(16).padStart(8, "0");
  const directory = `${memory}/node`;
  const name = `${process.version}-${process.arch}-${tag}-${process.getuid()}`;
  try {
    mkdirSync(directory);
    symlinkSync(`${__dirname}/compile-cache`, `${directory}/${name}`);
  } catch (error) {
    // Another process of this app was first; anything else means a start without the cache.
    if (error.code !== "EEXIST") return;
  }
  enableCompileCache({ directory, portable: true });
}

/** Source maps of bundled programs, by file; null where there is none. */
const maps = new Map();

function mapOf(file) {
  if (!maps.has(file)) {
    let map = null;
    try {
      const { SourceMap } = require("node:module");
      map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, "utf8")));
    } catch {
      // No map, or none that can be read: the places of the bundle are better than none.
    }
    maps.set(file, map);
  }
  return maps.get(file);
}

/** One line of a stack with the place in the source. */
function frame(site) {
  const text = String(site);
  const name = site.getFileName();
  if (typeof name !== "string" || name.startsWith("node:")) return text;
  const { fileURLToPath } = require("node:url");
  const path = require("node:path");
  const file = name.startsWith("file:") ? fileURLToPath(name) : name;
  if (!file.startsWith(`${image}/app/`) || file.includes("/node_modules/")) return text;
  const line = site.getLineNumber();
  const column = site.getColumnNumber();
  if (line === null || column === null) return text;
  const { originalSource, originalLine, originalColumn } =
    mapOf(file)?.findEntry(line - 1, column - 1) ?? {};
  if (originalSource === undefined || originalSource === null) return text;
  const source = path.resolve(path.dirname(file), originalSource);
  const place = `${source}:${originalLine + 1}:${originalColumn + 1}`;
  return text.replace(`${name}:${line}:${column}`, place);
}

// As --enable-source-maps, which reads every map at the start: here they are read when a stack is
// looked at. Who sets another function gets what that function says, as ever.
Error.prepareStackTrace = (error, sites) => {
  let head;
  try {
    head = Error.prototype.toString.call(error);
  } catch {
    head = "<error>";
  }
  return sites.length === 0 ? head : `${head}\n    at ${sites.map(frame).join("\n    at ")}`;
};

if (existsSync(`${__dirname}/compile-cache`)) useCompileCache();
