/** Libraries that the target has to have itself: scripts/spec/host-libraries.json. */
import { hostLibraries } from "../generated/spec.ts";

export interface HostLibrary {
  family: string;
  reason: string;
}

/** Family of what the user says that every target has. */
const DECLARED = "declared";

const rules = hostLibraries.flatMap(({ names, family, reason }) =>
  names.map((name) => ({ pattern: patternOf(name), family, reason })),
);

function patternOf(name: string): RegExp {
  const parts = name.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}

/**
 * Why a library is left to the target, or undefined when it may be packed.
 *
 * @param declared names of those that every target has, as the user says
 */
export function hostLibrary(
  name: string,
  declared: readonly string[] = [],
): HostLibrary | undefined {
  if (declared.includes(name)) {
    return { family: DECLARED, reason: "it was said that every target has it" };
  }
  const rule = rules.find(({ pattern }) => pattern.test(name));
  return rule && { family: rule.family, reason: rule.reason };
}

/** Whether every target has it: one that has the dynamic linker has the rest of its libc. */
export const isEverywhere = ({ family }: HostLibrary): boolean =>
  [DECLARED, "libc", "nss"].includes(family);
