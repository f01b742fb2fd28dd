// Loaded when a bundled program makes a stack into text, or is about to be warned: says where what is
// one file now stands in the sources.
"use strict";

const { readFileSync } = require("node:fs");
const path = require("node:path");
const { fileURLToPath } = require("node:url");

const image = path.dirname(__dirname);

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

/** The file of a place in a stack; undefined for what is not the app's own. */
function fileOf(site) {
  const name = site.getFileName();
  if (typeof name !== "string" || name.startsWith("node:")) return undefined;
  const file = name.startsWith("file:") ? fileURLToPath(name) : name;
  const isOwn = file.startsWith(`${image}/app/`) && !file.includes("/node_modules/");
  return isOwn ? file : undefined;
}

/** One line of a stack with the place in the source. */
function frame(site) {
  const text = String(site);
  const file = fileOf(site);
  if (file === undefined) return text;
  const line = site.getLineNumber();
  const column = site.getColumnNumber();
  if (line === null || column === null) return text;
  const { originalSource, originalLine, originalColumn } =
    mapOf(file)?.findEntry(line - 1, column - 1) ?? {};
  if (originalSource === undefined || originalSource === null) return text;
  const source = path.resolve(path.dirname(file), originalSource);
  const place = `${source}:${originalLine + 1}:${originalColumn + 1}`;
  return text.replace(`${site.getFileName()}:${line}:${column}`, place);
}

/** Text of a stack, as Node makes it. The file that was started before the program is not told of. */
exports.stack = (error, sites) => {
  let head;
  try {
    head = Error.prototype.toString.call(error);
  } catch {
    head = "<error>";
  }
  const start = sites.findIndex((site) => site.getFileName() === `${__dirname}/start.cjs`);
  const told = start < 0 ? sites : sites.slice(0, start);
  return told.length === 0 ? head : `${head}\n    at ${told.map(frame).join("\n    at ")}`;
};

/** Lines of bundled programs, by file. */
const lines = new Map();

/** The places that lead to a call of `callee`. */
function sitesAbove(callee) {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const holder = {};
  try {
    Error.stackTraceLimit = 10;
    Error.prepareStackTrace = (_, sites) => sites;
    Error.captureStackTrace(holder, callee);
    return holder.stack;
  } finally {
    Object.assign(Error, { prepareStackTrace, stackTraceLimit });
  }
}

/** Node warns of Buffer() everywhere when it is asked for what is not deprecated yet. */
const isPending = () =>
  process.env.NODE_PENDING_DEPRECATION === "1" ||
  process.execArgv.includes("--pending-deprecation");

/**
 * Whether Node would not warn, because code of an installed package calls it here. Node asks the name
 * of the file, which is the program's for all that is bundled in it. esbuild writes each source behind
 * a line with its name: to read that takes a hundredth of the time of a source map.
 *
 * Node has noted by now that it has warned, so it does not do so again for code of the app.
 *
 * @param code of the warning
 * @param callee the function that Node calls to warn
 */
exports.isSilent = (code, callee) => {
  if (code === "DEP0005" && isPending()) return false;
  const site = sitesAbove(callee).find((one) => !/^node:|^$/.test(one.getFileName() ?? ""));
  const file = site === undefined ? undefined : fileOf(site);
  if (file === undefined) return false;
  if (!lines.has(file)) lines.set(file, readFileSync(file, "utf8").split("\n"));
  const above = lines.get(file).slice(0, site.getLineNumber() ?? 0);
  return above.findLast((line) => line.startsWith("// "))?.includes("node_modules/") === true;
};
