// What a failure of the runtime comes from (causes.json): for the doctor, which gives advice by it.
// `advice` is what to do. Without it runtime/cli/doctor.c takes a look at the machine, and does not
// compile where it has forgotten one.

/** @import {Cause} from "./types.mts" */

/** Of the generated header. */
export function causesC(/** @type {Cause[]} */ causes) {
  const advised = causes.filter(({ advice }) => advice !== undefined);
  return `/* What a failure comes from; FUSELAGE_CAUSE_NONE is 0. */
enum fuselage_cause {
${causes.map(({ name, summary }) => `\tFUSELAGE_CAUSE_${name}, /* ${summary} */`).join("\n")}
\tFUSELAGE_CAUSE_COUNT,
};

/* X(name) of all. */
#define FUSELAGE_CAUSES(X) \\
${causes.map(({ name }) => `\tX(${name})`).join(" \\\n")}

/* X(name, advice) of those for which it is the same on every machine. */
#define FUSELAGE_ADVICES(X) \\
${advised.map(({ name, advice }) => `\tX(${name}, ${JSON.stringify(advice)})`).join(" \\\n")}
`;
}
