// Whether a parser that knows `userns` takes the profile that `bundle doctor --fix` writes.
//
// The rule came with AppArmor 4, which Debian 13 has; the parser is started in its root.

import { writeFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { root, run } from "../build/zig.mjs";
import { debianFiles, debianRoot } from "../debian.mjs";
import { cellsProgram } from "./cells.mjs";
import { copyTree } from "./roots.mjs";

/** Paths of bundles, of every kind that apparmor.d(5) has a word for. */
const programs = [
  "/opt/app.run",
  "/opt/with blank",
  "/opt/{a,b}*[c]?^",
  '/opt/quo"te\\',
  "/opt/@{HOME}",
];

/** @returns {Promise<(program: string) => {path: string, text: string} | undefined>} */
async function profiles() {
  const outfile = path.join(root, "build/matrix/remedies.mjs");
  const entryPoints = [path.join(root, "builder/doctor/remedies.ts")];
  await build({ entryPoints, outfile, bundle: true, platform: "node", format: "esm" });
  const { remediesFor } = await import(outfile);
  const finding = { strategy: "fuse", works: false, cause: "APPARMOR", reason: "", advice: "" };
  return (program) => {
    const [{ actions }] = remediesFor([finding], program);
    return actions.find((/** @type {{type: string}} */ { type }) => type === "write");
  };
}

/** @returns {Promise<string>} what came of it, in one line */
export async function tryProfiles() {
  const release = "trixie";
  const top = debianRoot(release);
  const files = debianFiles(release, ["apparmor", "libapparmor1"]);
  const place = "matrix-apparmor";
  copyTree(files, top, place);
  const profile = await profiles();
  const lines = [];
  const parser = [
    `/${place}/usr/sbin/apparmor_parser`,
    "-Q",
    "-K",
    "--base",
    `/${place}/etc/apparmor.d`,
  ];
  for (const [i, program] of programs.entries()) {
    const write = profile(program);
    if (write === undefined) return "Not tried: apparmor_parser is not installed.";
    writeFileSync(path.join(top, place, `profile-${i}`), write.text);
    lines.push(`cell ${i} 0 60`, `run ${[...parser, `/${place}/profile-${i}`].join("\t")}`);
  }
  // What has no meaning has to be refused, or the others would say nothing.
  writeFileSync(path.join(top, place, "control"), "profile control /opt/control {\n  usernz,\n}\n");
  lines.push("cell control 0 60", `run ${[...parser, `/${place}/control`].join("\t")}`);
  lines.push("cell version 0 60", `run ${parser[0]}\t--version`);
  const plan = path.join(root, "build/matrix/plan-apparmor");
  writeFileSync(plan, `${lines.join("\n")}\n`);
  const text = await run(await cellsProgram(), [plan, "--root", top]);
  return verdict(text);
}

function verdict(/** @type {string} */ text) {
  const lines = text.matchAll(/^@@ (\S+) (\d+) \d+ ([0-9a-f]*)$/gm);
  const steps = [...lines].map(([, name, status, hex]) => ({
    name,
    taken: status === "0",
    said: Buffer.from(hex, "hex").toString("utf8").trim(),
  }));
  const [control, version] = steps.slice(-2);
  const [, number = "of an unknown version"] = /version ([\d.]+)/.exec(version.said) ?? [];
  if (control.taken) return `The parser of AppArmor ${number} takes anything: nothing is known.`;
  const refused = steps.slice(0, -2).filter(({ taken }) => !taken);
  if (refused.length === 0) {
    return `The parser of AppArmor ${number} takes the profiles of all ${programs.length} names of files that were tried.`;
  }
  const list = refused.map(({ name, said }) => `\`${programs[Number(name)]}\`: ${said}`);
  return `The parser of AppArmor ${number} refuses ${list.join("; ")}.`;
}
