/** Compares the files of a bundle with those that the packed Node itself finds. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { templatesPath } from "../../host/paths.ts";
import type { Analysis } from "./analyse.ts";
import { TYPED } from "./resolve-plugin.ts";
import { runNode } from "./run-node.ts";

/**
 * Asks the packed Node for every name in JavaScript; those in TypeScript follow other rules.
 *
 * @param interpreter path of a Node that runs here
 * @param workspace private folder
 * @returns by file: what Node finds otherwise
 * @throws Error when it cannot be asked
 */
export async function differencesFromNode(
  interpreter: string,
  workspace: string,
  { imports }: Analysis,
): Promise<Map<string, string>> {
  const questions = new Map<string, { importer: string; file: string; question: string[] }>();
  for (const [importer, imported] of imports) {
    if (TYPED.test(importer)) continue;
    for (const { name, file, loading } of imported) {
      // A name that esbuild adds, as for JSX, is in no source.
      if (name === "") continue;
      const key = `${path.dirname(importer)}\0${name}\0${loading}`;
      questions.set(key, { importer, file, question: [name, importer, loading] });
    }
  }
  const asked = [...questions.values()];
  const differences = new Map<string, string>();
  if (asked.length === 0) return differences;
  const list = path.join(workspace, "questions.json");
  writeFileSync(list, JSON.stringify(asked.map(({ question }) => question)));
  const flags = ["--experimental-import-meta-resolve", "--no-warnings"];
  const script = path.join(templatesPath(), "node/resolve.mjs");
  const env = { HOME: workspace, PATH: "/usr/bin:/bin" };
  const answers = JSON.parse(
    await runNode(interpreter, [...flags, script, list], { cwd: workspace, env }),
  ) as (string | null)[];
  for (const [i, { importer, file, question }] of asked.entries()) {
    const answer = answers[i] ?? undefined;
    if (answer === file) continue;
    const [name] = question;
    differences.set(importer, `Node finds ${answer ?? "nothing"} for ${name}, not ${file}`);
  }
  return differences;
}
