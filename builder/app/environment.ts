/** What a bundle does to the environment: what the app needs, and then what the options say. */
import type { ResolvedBuildOptions } from "../config/build-options.ts";
import type { App } from "./kind.ts";

/** Changes in the order in which they are made. Texts are Unicode. */
export interface Environment {
  /** Names that are not inherited. */
  unset: readonly string[];
  /** `K=V` each, as in all that follow. */
  env: readonly string[];
  /** Set unless the caller has them. */
  envDefault: readonly string[];
  /** Put before the value of K; a character before the `=` joins them, else a colon. */
  envPrepend: readonly string[];
  /** Put behind it. */
  envAppend: readonly string[];
}

/** The options that change the environment. */
export type EnvironmentOptions = Pick<
  ResolvedBuildOptions,
  "unsetEnv" | "env" | "envDefault" | "envPrepend" | "envAppend"
>;

export function environmentOf(app: App, options: EnvironmentOptions): Environment {
  return {
    unset: [...new Set([...app.unsetEnv, ...options.unsetEnv])],
    env: [...app.env, ...options.env],
    envDefault: [...(app.envDefault ?? []), ...options.envDefault],
    envPrepend: [...(app.envPrepend ?? []), ...options.envPrepend],
    envAppend: [...(app.envAppend ?? []), ...options.envAppend],
  };
}
