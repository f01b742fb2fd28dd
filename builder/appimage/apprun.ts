/** The AppRun that an app without one gets. */
import { type Environment, type EnvironmentOptions, environmentOf } from "../app/environment.ts";
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

/** A variable that builds on another value: its name, what joins the two, and the new part. */
function built(pair: string): { name: string; joint: string; value: string } {
  const [, name = "", joint = "", value = ""] = /^(\w+)(\W?)=(.*)$/s.exec(pair) ?? [];
  return { name, joint: word(joint || ":"), value: word(value) };
}

/** Commands of sh for the variables that build on others, in the order of a start. */
function assignments({ unset, env, ...more }: Environment): {
  lines: string[];
  names: Set<string>;
} {
  const changes = [
    ...more.envDefault.map(built).map(({ name, value }) => [name, `\${${name}-${value}}`] as const),
    ...more.envPrepend
      .map(built)
      .map(({ name, joint, value }) => [name, `${value}\${${name}:+${joint}$${name}}`] as const),
    ...more.envAppend
      .map(built)
      .map(({ name, joint, value }) => [name, `\${${name}:+$${name}${joint}}${value}`] as const),
  ];
  const names = new Set(changes.map(([name]) => name));
  const before = [
    ...unset.filter((name) => names.has(name)).map((name) => `unset ${name}`),
    ...env
      .map(split)
      .flatMap(([name, value]) => (names.has(name) ? [`${name}=${word(value)}`] : [])),
  ];
  const after = changes.map(([name, value]) => `${name}=${value}`);
  const exported = names.size > 0 ? [`export ${[...names].join(" ")}`] : [];
  return { lines: [...before, ...after, ...exported], names };
}

const split = (pair: string): [name: string, value: string] => {
  const at = pair.indexOf("=");
  return [pair.slice(0, at), pair.slice(at + 1)];
};

/** Whether a shell can take a variable away by itself: it has a name for it, and no use of its own. */
function isPlain(name: string): boolean {
  return /^[A-Za-z_]\w*$/.test(name) && !/^(?:BASH\w*|E?UID|PPID|SHELLOPTS|PWD|_)$/.test(name);
}

/**
 * Values of templates/appdir/AppRun: it does what the manifest records, for tools that do not know
 * of a manifest.
 */
export function appRunCommand(
  app: App & { entry: string },
  options: Pick<ResolvedBuildOptions, "name" | "args"> & EnvironmentOptions,
): Record<string, string> {
  const environment = environmentOf(app, options);
  const { lines, names } = assignments(environment);
  const gone = environment.unset.filter((name) => !names.has(name));
  const given = [
    ...gone.filter((name) => !isPlain(name)).flatMap((name) => ["-u", name]),
    ...environment.env.filter((pair) => !names.has(split(pair)[0])),
  ];
  const words = [
    // Only where it is needed: env is one more program, and PATH may lead to none or to another one.
    ...(given.length > 0 ? ["env", ...given.map(word)] : []),
    word(`${BUNDLE_DIR}/${fromBytes(app.entry)}`),
    ...[...app.args, ...options.args].map(word),
  ];
  const unset = gone.filter(isPlain).map((name) => `unset -v ${name}`);
  const command = [...unset, ...lines, `exec ${words.join(" ")} "$@"`].join("\n");
  return { name: options.name, command };
}
