import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

const source = `const fs = require("node:fs");
console.log(fs.readFileSync("data.json", "utf8"), fs.readdirSync("./public"), fs.existsSync("input.csv"));
`;
const files = (json: object) => ({
  "package.json": JSON.stringify({ name: "app", version: "1.0.0", ...json }),
  "main.js": source,
  "data.json": "{}",
  "public/a.css": "",
});
const build = (app: string, ...options: string[]) => {
  return ["build", app, "-o", "out", "--node", "none", "--explain", ...options];
};

export default {
  files: {
    ...prefixed("server", files({ main: "main.js" })),
    ...prefixed("command", files({ bin: "main.js" })),
  },
  args: build("server"),
  stdout: /warning: main\.js opens data\.json, public in the current folder.*W_CURRENT_FOLDER/,
  async check(cwd) {
    const warns = async (...args: string[]) => (await bundle(args, { cwd })).stdout;
    expect(await warns(...build("server", "--bundle=none"))).toMatch("W_CURRENT_FOLDER");
    // What is meant to be the caller's, and a command, which is started anywhere without a bundle too.
    const declared = ["--target-has", "data.json", "--target-has", "public"];
    expect(await warns(...build("server", ...declared))).not.toMatch("W_CURRENT_FOLDER");
    expect(await warns(...build("command"))).not.toMatch("W_CURRENT_FOLDER");
  },
} satisfies Case;

function prefixed(folder: string, files: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text]),
  );
}
