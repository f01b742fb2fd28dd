/** Lets esbuild look for names as Node does. */
import type { OnResolveArgs, Plugin, PluginBuild } from "esbuild";
import { installedPackage } from "./package.ts";
import type { Loading, NodeResolver } from "./resolution.ts";

/** Sources that Node does not read as they are: their names follow the rules of TypeScript. */
export const TYPED = /\.(?:[cm]?ts|[jt]sx)$/;

/** A name that Node would not find. */
export interface Unfound {
  importer: string;
  name: string;
  loading: Loading;
  reason: string;
}

export function loadingOf(kind: string): Loading {
  return kind.startsWith("require") ? "require" : "import";
}

/** @param onUnfound is told of names in JavaScript that lead nowhere; they stay as they are */
export function resolvePlugin(
  resolver: NodeResolver,
  onUnfound: (unfound: Unfound) => void,
): Plugin {
  return {
    name: "resolve",
    setup(build) {
      const own = {};
      build.onResolve({ filter: /.*/ }, async (args) => {
        const { path: name, importer, kind, namespace, pluginData } = args;
        if (pluginData === own || namespace !== "file" || kind === "entry-point") return undefined;
        const loading = loadingOf(kind);
        if (TYPED.test(importer)) return typed(build, resolver, args, own);
        const found = resolver.resolve(name, importer, loading);
        if ("builtin" in found) return { path: name, external: true };
        if ("missing" in found) {
          onUnfound({ importer, name, loading, reason: found.missing });
          return { path: name, external: true };
        }
        // What esbuild knows of a file in TypeScript, as its tsconfig.json, it knows by finding it.
        return TYPED.test(found.file) ? undefined : { path: found.file };
      });
    },
  };
}

/** TypeScript says what is meant, unless it leads into another package: that is Node's to choose. */
async function typed(
  build: PluginBuild,
  resolver: NodeResolver,
  { path: name, importer, resolveDir, kind }: OnResolveArgs,
  own: object,
) {
  if (/^\.{0,2}\//.test(name)) return undefined;
  const options = { importer, resolveDir, kind, pluginData: own };
  const tried = await build.resolve(name, options);
  const owner = installedPackage(tried.path);
  if (tried.errors.length > 0 || tried.external) return undefined;
  if (owner === undefined || owner === installedPackage(importer)) return undefined;
  const found = resolver.resolve(name, importer, loadingOf(kind));
  return "file" in found && !TYPED.test(found.file) ? { path: found.file } : undefined;
}
