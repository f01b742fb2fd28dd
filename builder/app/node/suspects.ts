/** Words in a source that say what bundling it could change. */

/** A file asks for its place, or starts a file beside it. */
const PLACE =
  /\b(?:__dirname|__filename|createRequire|new Worker|fork\(|require\.resolve)|\bimport\.meta\b(?!\.env\b)/;

/** A file looks at what Node knows of modules, or looks for one from its own place. */
const LOADER =
  /\b(?:module\.(?:paths|parent|children|loaded|filename|require|constructor)|_resolveFilename|_nodeModulePaths|require\.extensions)\b|\bimport\.meta\.resolve\b|\brequire\.resolve\(\s*["'`]\.|\beval\s*:\s*(?:true|!0)\b/;

/** A file changes how others are loaded, or reaches into what was loaded. */
const HOOK = [
  /\bdelete require\.cache\b/,
  /\brequire\.cache\[[^\]]*\]\s*=(?!=)/,
  // By another name.
  /\b([\w$]+)\s*=\s*require\.cache\b(?=[\s\S]*\bdelete\s+\1\[)/,
  /\brequire\.extensions\[[^\]]*\]\s*=(?!=)/,
  /\b_extensions\[[^\]]*\]\s*=(?!=)/,
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
  const hook = HOOK.map(found).find((words) => words !== undefined);
  return {
    readsCache: CACHE.test(text),
    ...(place !== undefined && { place }),
    ...(loader !== undefined && { loader }),
    ...(hook !== undefined && { hook }),
  };
}
