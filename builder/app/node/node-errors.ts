/** Failures of Node apps, sorted by code. The catalogue is scripts/spec/errors.json. */
import {
  BundleError,
  type EntryGuesses,
  entryAmbiguous,
  entryHint,
  entryMissing,
  type FailureText,
  type OptionNames,
  systemReason,
} from "../../errors.ts";

export { entryAmbiguous, entryMissing };

/** @param wanted ABI of the interpreter @param found ABI of the addon, and a Node that has it */
export function addonAbi(
  file: string,
  name: string,
  wanted: string,
  found: { abi: number; node: string | undefined },
): BundleError {
  const { abi, node } = found;
  const other = (option: OptionNames) =>
    node === undefined ? "" : `, or pack Node ${node}: ${option("node", node)}`;
  return new BundleError("E_NODE_ADDON_ABI", `${name} has an addon for another Node`, {
    path: file,
    expected: wanted,
    actual: `NODE_MODULE_VERSION ${abi}${node === undefined ? "" : ` (Node ${node})`}`,
    hint: (option) => `Install or rebuild ${name} with the Node that is packed${other(option)}.`,
  });
}

/**
 * @param target for example "linux-arm64 (glibc)" @param actual what there is instead
 * @param help `glob` leaves it out; `todo` is better than the general advice, without the full stop
 */
export function addonTarget(
  path: string,
  name: string,
  target: string,
  actual: string,
  help: { todo?: string; glob: string },
): BundleError {
  const { todo = "Install the package for that machine, or build on such a machine", glob } = help;
  return new BundleError("E_NODE_ADDON_TARGET", `${name} has no addon for ${target}`, {
    path,
    expected: `an addon for ${target}`,
    actual,
    hint: (option) =>
      `${todo}; an app that can do without leaves it out: ${option("exclude", glob)}`,
  });
}

/** @param mistakes what esbuild says, each with file and line */
export function bundleFailed(path: string, mistakes: readonly string[]): BundleError {
  const shown = mistakes.slice(0, 5).join("; ");
  const rest = mistakes.length > 5 ? `; and ${mistakes.length - 5} more` : "";
  return new BundleError("E_NODE_BUNDLE", `the sources cannot be bundled: ${shown}${rest}`, {
    path,
  });
}

export function decorators(path: string): BundleError {
  return new BundleError(
    "E_NODE_DECORATORS",
    "tsconfig.json asks for emitDecoratorMetadata, and no compiler is installed that does it",
    {
      path,
      expected: "typescript up to version 6, or @swc/core, among the app's packages",
      hint: (name) =>
        `Run \`npm install --save-dev @swc/core\` in the app's folder, or leave the types out: ${name("bundle", "fast")}.`,
    },
  );
}

/** @param importer the file or package that asks for it */
export function dependencyMissing(dir: string, name: string, importer: string): BundleError {
  return new BundleError("E_NODE_DEPENDENCY", `${importer} needs ${name}, which is not installed`, {
    path: dir,
    hint: `Run \`npm install\` in ${dir}, or \`npm install ${name}\` when package.json does not have it.`,
  });
}

/** @param hasPackage whether the folder has a package.json at all */
export function entryNone(
  dir: string,
  guesses: EntryGuesses | undefined,
  hasPackage: boolean,
): BundleError {
  const [what, places] = hasPackage
    ? ["package.json names no program to start", "bin, main, exports, index.js or server.js"]
    : ["there is no package.json that names a program to start", "one, index.js or server.js"];
  return new BundleError("E_ENTRY_NONE", what, {
    path: dir,
    expected: (name) => `${places} that exists; or ${name("entry")}`,
    hint:
      (guesses && entryHint(guesses)) ??
      ((name) => `Say which file to start, for example: ${name("entry", "src/server.js")}`),
  });
}

/** @param source where the bytes came from */
export function integrity(source: string, expected: string, actual: string): BundleError {
  return new BundleError("E_NODE_INTEGRITY", "what was downloaded is not what was published", {
    path: source,
    expected,
    actual,
  });
}

export function interpreter(
  what: FailureText,
  details: { path?: string; hint?: FailureText },
): BundleError {
  return new BundleError("E_NODE_INTERPRETER", what, details);
}

export function packageMalformed(path: string, cause: unknown): BundleError {
  return new BundleError("E_NODE_PACKAGE", `is no package.json: ${systemReason(cause)}`, {
    path,
    cause,
  });
}

/** @param name of the package, where no other failure says it */
export function plugAndPlay(loader: string, name?: string, cause?: BundleError): BundleError {
  const what =
    name === undefined ? cause?.wordsFor(String).message : `${name} is in no node_modules`;
  return new BundleError("E_NODE_PNP", `${what}; Yarn's Plug'n'Play may have it`, {
    path: loader,
    expected: "packages in node_modules, where Node finds them",
    cause,
  });
}

/** @param what is not there: "Node 24.21.0 for x64" */
export function registry(
  url: string,
  what: string,
  reason: string,
  cached: FailureText,
): BundleError {
  return new BundleError("E_NODE_REGISTRY", `${what} cannot be downloaded: ${reason}`, {
    path: url,
    hint: (name) =>
      `${typeof cached === "string" ? cached : cached(name)} Check the network and the registry (npm ` +
      `config get registry), or pack a Node that is here: ${name("node", "/path/to/node")}, or ` +
      `${name("node", "host")}.`,
  });
}
