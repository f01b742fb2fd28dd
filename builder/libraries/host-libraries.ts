/** Libraries that the target has to have itself: scripts/spec/host-libraries.json. */
import { hostLibraries } from "../generated/spec.ts";

export interface HostLibrary {
  family: string;
  reason: string;
}

const rules = hostLibraries.flatMap(({ names, family, reason }) =>
  names.map((name) => ({ pattern: patternOf(name), family, reason })),
);

function patternOf(name: string): RegExp {
  const parts = name.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}

/** Why a library is left to the target, or undefined when it may be packed. */
export function hostLibrary(name: string): HostLibrary | undefined {
  const rule = rules.find(({ pattern }) => pattern.test(name));
  return rule && { family: rule.family, reason: rule.reason };
}
