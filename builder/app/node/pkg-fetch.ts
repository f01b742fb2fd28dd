/**
 * Interpreters for other C libraries, by @yao-pkg/pkg-fetch: musl ("alpine") and one without any
 * ("linuxstatic"). It downloads from GitHub and keeps what it got in ~/.pkg-cache.
 */
import { BundleError } from "../../errors.ts";
import * as errors from "./node-errors.ts";
import type { Target } from "./target.ts";

/** These programs run what is appended to them, unless this says that they are Node. */
export const PKG_FETCH_VARIABLE = "PKG_EXECPATH=PKG_INVOKE_NODEJS";

/** What of the package is used here. */
interface PkgFetch {
  need(options: {
    nodeRange: string;
    platform: string;
    arch: string;
    forceFetch: boolean;
  }): Promise<string>;
}

/**
 * The interpreter's path.
 *
 * @throws E_NODE_REGISTRY, E_NODE_INTERPRETER
 */
export async function fetchOtherLibc(version: string, { arch, libc }: Target): Promise<string> {
  const major = version.split(".")[0] ?? version;
  const platform = libc === "musl" ? "alpine" : "linuxstatic";
  const what = `Node ${version} for ${arch} (${libc})`;
  try {
    const { need } = await loadPkgFetch();
    // Without a download it would compile Node here, for an hour.
    return await need({ nodeRange: `node${major}`, platform, arch, forceFetch: true });
  } catch (cause) {
    if (cause instanceof BundleError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const cached = "pkg-fetch takes it from github.com and keeps it in ~/.pkg-cache.";
    throw errors.registry("https://github.com/yao-pkg/pkg-fetch", what, reason, cached);
  }
}

async function loadPkgFetch(): Promise<PkgFetch> {
  // It is installed by those who need it: few do, and it brings twenty packages along.
  const name = "@yao-pkg/pkg-fetch";
  try {
    const loaded = (await import(name)) as { default?: PkgFetch } & Partial<PkgFetch>;
    const { need } = loaded.default ?? loaded;
    if (need !== undefined) return { need };
  } catch (cause) {
    const hint = "Install it beside fuselage-bundle: npm install @yao-pkg/pkg-fetch@3.6.6";
    if (!(cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND"))
      throw cause;
    throw errors.interpreter((option) => `${option("nodeLibc")} needs ${name}`, { hint });
  }
  throw errors.interpreter(`${name} has no function need`, {});
}
