import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { text, where } from "./lib/text.js";

const require = createRequire(import.meta.url);
console.log((await text).trim());
console.log(where);
console.log(require("../package.json").name, import.meta.filename === process.argv[1]);
console.log((await readdir(import.meta.dirname)).includes("main.js"));
const late = await import("./lib/late.js");
console.log(late.default, JSON.parse(await readFile(late.place, "utf8")).late);
