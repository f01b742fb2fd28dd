/** Words in a source that say what bundling it could change. */

/** A file asks for its place, or starts a file beside it. */
const PLACE =
  /\b(?:__dirname|__filename|createRequire|new Worker|fork\(|require\.resolve)|\bimport\.meta\b(?!\.env\b)/;

/** A file looks at what Node knows of modules, or looks for one from its own place. */
const LOADER =
  /\b(?:module\.(?:paths|parent|children|loaded|filename|require|constructor)|_resolveFilename|_nodeModulePaths|require\.extensions)\b|\bimport\.meta\.resolve\b|\brequire\.resolve\(\s*["'`]\.|\beval\s*:\s*(?:true|!0)\b/;

/** A file changes what has been loaded; the last by another name. */
const CACHE_HOOK = [
  /\bdelete require\.cache\b/,
  /\brequire\.cache\[[^\]]*\]\s*=(?!=)/,
  /\b([\w$]+)\s*=\s*require\.cache\b(?=[\s\S]*\bdelete\s+\1\[)/,
];

/** Without one of these words a file hooks nothing, and need not be looked at for long. */
const HOOK_WORDS =
  /_load\b|_resolveFilename|_extensions|\.extensions\[|_findPath|_compile|\bModule\b|[rR]egister/;

/** A file changes how others are loaded. */
const HOOK = [
  /\brequire\.extensions\[[^\]]*\]\s*=(?!=)/,
  /\b[mM]odule\b[\w.]*\._extensions\[[^\]]*\]\s*=(?!=)/,
  /\b(?:Module|module)\b[\w.]*\._(?:load|resolveFilename|findPath|compile|cache)\s*=(?!=)/,
  /\bModule\.prototype\.(?:require|load|_compile)\s*=(?!=)/,
  /\bwrap\(\s*Module(?:\.prototype)?\s*,/,
  /\bregisterHooks\s*\(/,
  /\b[mM]odule\.register\s*\(/,
  /\bregister\s*\([^()]*(?:\([^()]*\)[^()]*)*\bimport\.meta\.url\b/,
];

/** A file looks at what has been loaded, without changing it. */
const CACHE = /\brequire\.cache\b/;

export interface Suspicion {
  readsCache: boolean;
  place?: string;
  loader?: string;
  hook?: string;
}

/** What a source is suspected of, each with the words that say so. */
export function suspect(text: string): Suspicion {
  const found = (pattern: RegExp) => pattern.exec(text)?.[0].replace(/\s*[(=,]$|\(.*$/s, "");
  const place = found(PLACE);
  const loader = found(LOADER);
  const readsCache = CACHE.test(text);
  const hooks = [...(readsCache ? CACHE_HOOK : []), ...(HOOK_WORDS.test(text) ? HOOK : [])];
  const hook = hooks.map(found).find((words) => words !== undefined);
  return {
    readsCache,
    ...(place !== undefined && { place }),
    ...(loader !== undefined && { loader }),
    ...(hook !== undefined && { hook }),
  };
}
