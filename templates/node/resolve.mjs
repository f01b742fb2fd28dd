// Says which files this Node loads for names in files, without loading any.
//
//   node --experimental-import-meta-resolve resolve.mjs QUESTIONS
//
// QUESTIONS is a JSON file: a list of [name, importer, "require" or "import"]. The answer on stdout is a
// JSON list: a file, or null where Node finds none.
import { readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

function answer([name, importer, loading]) {
  try {
    if (loading === "require") return createRequire(importer).resolve(name);
    return realpathSync(fileURLToPath(import.meta.resolve(name, pathToFileURL(importer).href)));
  } catch {
    return null;
  }
}

const questions = JSON.parse(readFileSync(process.argv[2], "utf8"));
process.stdout.write(JSON.stringify(questions.map(answer)));
