/** The AppRun that an app without one gets. */
import type { App } from "../app/kind.ts";
import type { ResolvedBuildOptions } from "../config/build-options.ts";
import { BUNDLE_DIR, fromBytes } from "../manifest/manifest.ts";

/** One word for sh, in which the folder of the app is the only thing that is expanded. */
function word(text: string): string {
  const parts = text.split(BUNDLE_DIR).map((part) => {
    return part === "" ? "" : `'${part.replaceAll("'", `'\\''`)}'`;
  });
  return parts.join(`"${BUNDLE_DIR}"`) || "''";
}

/**
 * Values of templates/appdir/AppRun: it does what the manifest records, for tools that do not know
 * of a manifest.
 */
export function appRunCommand(
  app: App,
  options: Pick<ResolvedBuildOptions, "name" | "args" | "env" | "unsetEnv">,
): Record<string, string> {
  const unset = [...app.unsetEnv, ...options.unsetEnv];
  const variables = [...app.env, ...options.env];
  const environment = [...unset.flatMap((name) => ["-u", name]), ...variables];
  const words = [
    // Only where it is needed: env is one more program that a small system may lack.
    ...(environment.length > 0 ? ["env", ...environment.map(word)] : []),
    word(`${BUNDLE_DIR}/${fromBytes(app.entry)}`),
    ...[...app.args, ...options.args].map(word),
  ];
  return { name: options.name, command: words.join(" ") };
}
