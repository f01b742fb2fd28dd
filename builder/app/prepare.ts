/** Input → App: the kind is chosen, and the folder it works in is made and removed. */
import type { Gathered, ResolvedBuildOptions } from "../config/build-options.ts";
import type { KindName } from "../config/kind-names.ts";
import * as errors from "../errors.ts";
import { Workspace } from "../host/temporary.ts";
import type { App } from "./kind.ts";
import { chooseKind } from "./kinds.ts";
import { openSource } from "./source.ts";
import { unusedOptions } from "./unused-options.ts";

/**
 * Prepares the app and hands it to `use`. What the app's tree refers to exists until that is done.
 *
 * @throws BundleError
 */
export async function withApp<T>(
  options: ResolvedBuildOptions,
  use: (app: App) => Promise<T>,
): Promise<T> {
  return prepared(options, use).catch((cause: unknown) => {
    throw changedMeanwhile(cause);
  });
}

/** What reads files, by the name that Node gives it. */
const READING = ["access", "lstat", "open", "read", "readlink", "realpath", "scandir", "stat"];

/** Files that were found go, or become others, where a project is installed or built at the same time. */
function changedMeanwhile(cause: unknown): unknown {
  const { path, syscall } = cause as { path?: unknown; syscall?: unknown };
  const code = errors.errnoCode(cause);
  if (cause instanceof errors.BundleError || code === undefined) return cause;
  if (typeof path !== "string" || !READING.includes(String(syscall))) return cause;
  const isGone = code === "ENOENT" || code === "ENOTDIR";
  return isGone ? errors.fileChanged(path, "it disappeared") : errors.fileUnreadable(path, cause);
}

async function prepared<T>(
  options: ResolvedBuildOptions,
  use: (app: App) => Promise<T>,
): Promise<T> {
  const source = await openSource(options);
  const chosen = options.gathered?.chosen;
  const { kind, ...found } = await chooseKind(chosen?.kind ?? options.kind, source);
  const why = chosen?.why ?? found.why;
  refuseOwners(options, kind.name);
  const workspace = new Workspace();
  try {
    const app = await kind.prepare({
      input: source.path,
      source,
      why,
      options,
      report: options.onReport ?? (() => {}),
      step: options.onStep ?? (() => {}),
      ...(options.signal && { signal: options.signal }),
      get workspace() {
        return workspace.path;
      },
    });
    const warnings = [...unusedOptions(options, kind.name), ...app.warnings];
    return await use(named({ ...app, warnings }, options.gathered));
  } finally {
    workspace.remove();
  }
}

/** What is said of the app, in the user's names. */
function named(app: App, gathered: Gathered | undefined): App {
  if (gathered === undefined) return app;
  const { rename, explain } = gathered;
  return {
    ...app,
    summary: rename(app.summary),
    explain: [...explain, ...app.explain.map(rename)],
    warnings: app.warnings.map((one) => ({ ...one, message: rename(one.message) })),
  };
}

/** A Node app is gathered from the folder on disk, where a user owns all of it. @throws E_OPTION_CONFLICT */
function refuseOwners({ gathered, keepOwners, input }: ResolvedBuildOptions, kind: KindName): void {
  if (kind !== "node" || !gathered || !keepOwners || process.geteuid?.() === 0) return;
  throw errors.optionConflict(
    (name) => `${name("keepOwners", true)} takes root for a Node app that is unpacked: ${input}`,
  );
}
