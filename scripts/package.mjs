// Before `npm pack` and `npm publish`: builds what is stale of all that is published, for every machine,
// and looks at what would be packed. A package that lacks something is not made.

import { packageProblems } from "./check/package.mjs";
import { setup } from "./setup.mjs";

const { buildStale } = await setup({ other: true }).then(() => import("./build.mjs"));
await buildStale();
const { problems } = await packageProblems({ complete: true });
// npm's own standard output may be JSON.
for (const problem of problems) console.error(`package: ${problem}`);
process.exitCode = problems.length > 0 ? 1 : 0;
