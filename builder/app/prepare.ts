/** Input → App: the kind is chosen, and the folder it works in is made and removed. */
import type { ResolvedBuildOptions } from "../config/build-options.ts";
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
  const source = await openSource(options);
  const { kind, why } = await chooseKind(options.kind, source);
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
    return await use({ ...app, warnings: [...unusedOptions(options, kind.name), ...app.warnings] });
  } finally {
    workspace.remove();
  }
}
