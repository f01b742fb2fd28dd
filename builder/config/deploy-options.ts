/** What a deployment takes. */
import * as errors from "../errors.ts";
import { optionRules } from "../generated/spec.ts";
import { checkOptions } from "./validate.ts";

/** What a deployment takes, and what is asked of one. */
export interface DeployOptions {
  /** `fuse://HOST[:PORT]` */
  to: string;
  /** A DNS label. */
  name?: string | undefined;
  url?: string | undefined;
  cpus?: number | undefined;
  /** `512M`, `2G` */
  memory?: string | undefined;
  region?: string | undefined;
  /** Each `K=V`. */
  labels?: readonly string[] | undefined;
  /** Each `K=V`, `K=@FILE` or `K`. */
  secrets?: readonly string[] | undefined;
  /** Each `K=V`. */
  env?: readonly string[] | undefined;
  /** Each `PORT[:NAME]`. */
  expose?: readonly string[] | undefined;
  /** `90s`, `30m`, `2h`, `1d` */
  ttl?: string | undefined;
  wait?: boolean | undefined;
  /** Seconds. */
  timeout?: number | undefined;
  /** Seconds. */
  startTimeout?: number | undefined;
  follow?: boolean | undefined;
  lines?: number | undefined;
  comment?: string | undefined;
  snapshot?: string | undefined;
  snapshots?: boolean | undefined;
  insecure?: boolean | undefined;
}

/** The types and the table name the same keys, or this does not compile. */
optionRules.deploy satisfies Record<keyof DeployOptions, object>;

/** Options of each action; all others are of a deployment that is made. */
const actionOptions = {
  list: ["snapshots"],
  status: [],
  logs: ["follow", "lines"],
  events: [],
  exec: ["timeout"],
  snapshot: ["comment"],
  fork: ["snapshot", "comment"],
  restore: [],
  drain: [],
  destroy: [],
  metrics: [],
} as const satisfies Record<string, readonly (keyof DeployOptions)[]>;

export type DeployAction = keyof typeof actionOptions;

/** Options of actions that say nothing of a deployment that is made. */
const ofActions: readonly string[] = ["follow", "lines", "comment", "snapshot", "snapshots"];

export const isAction = (text: string): text is DeployAction => Object.hasOwn(actionOptions, text);

/**
 * Checks the options.
 *
 * @param action undefined: a bundle is deployed
 * @param served whether the bundle is offered from here
 * @throws E_OPTION_UNKNOWN, E_OPTION_MISSING, E_OPTION_VALUE, E_OPTION_CONFLICT
 */
export function checkDeployOptions(
  options: DeployOptions,
  action: DeployAction | undefined,
  served: boolean,
): void {
  checkOptions("deploy", withoutSecrets(options));
  const known: readonly string[] = action === undefined ? [] : actionOptions[action];
  for (const [key, value] of Object.entries({ ...options, ...(served && { serve: true }) })) {
    if (value === undefined || key === "to" || key === "insecure") continue;
    const fits = action === undefined ? !ofActions.includes(key) : known.includes(key);
    if (fits) continue;
    const where = action ?? "a deployment that is made";
    throw errors.optionConflict((name) => `${name(key)} says nothing about ${where}`);
  }
  if (action !== undefined) return;
  if (served && options.url !== undefined) {
    throw errors.optionConflict(
      (name) => `${name("serve")} and ${name("url")} are two places for one bundle`,
    );
  }
  if (!served && options.url === undefined) {
    throw errors.optionMissing(
      "url",
      "where the machine gets the bundle; or --serve, which offers it from here",
    );
  }
}

/** What is wrong with a value is said with the value, and that of a secret is for nobody. */
function withoutSecrets({ secrets, ...rest }: DeployOptions): Omit<DeployOptions, "secrets"> {
  if (secrets?.some((text) => text.includes("\0"))) {
    throw errors.optionValue("secrets", "text without NUL", "another text");
  }
  return rest;
}
