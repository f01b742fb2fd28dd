// Measures what the project promises and prints a table in Markdown, as docs/benchmarks.md has it.
//
//   npm run bench [-- start|archives|mount|warm|extract|build|rebuild|node|libc|appimage|oci|vm|sandbox]

import os from "node:os";
import { setup } from "./setup.mjs";

const all = [
  ...["start", "archives", "mount", "warm", "extract"],
  ...["build", "rebuild", "node", "libc", "appimage", "oci", "vm"],
  "sandbox",
];
const names = process.argv.slice(2);
const unknown = names.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  console.error(`bench: there is no ${unknown.join(", ")}; there are ${all.join(", ")}`);
  process.exit(2);
}

// Each start and mount is measured on its own; bench/warm.mjs says for itself what is shared.
process.env.FUSELAGE_LINGER = "0";

await setup({ test: true });
const [{ model }] = os.cpus();
const machine = `${model}, ${os.availableParallelism()} processors`;
console.log(`\n${machine}, Linux ${os.release()}, Node ${process.versions.node}\n`);
console.log("| what | measured | wanted | met |\n|---|---|---|---|");
for (const name of names.length > 0 ? names : all) {
  const { bench } = await import(`./bench/${name}.mjs`);
  for (const { what, measured, wanted, met } of await bench()) {
    console.log(`| ${what} | ${measured} | ${wanted} | ${met ? "yes" : "no"} |`);
  }
}
