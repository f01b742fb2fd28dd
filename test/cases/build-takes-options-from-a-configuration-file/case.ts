import { existsSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

const config = `
import { defineConfig } from "fuselage-bundle";
export default defineConfig({
  output: "../made/of-config.run",
  args: ["from", "file"],
  writable: true as boolean,
  name: "file",
});
`;

export default {
  files: { ...smallApp, "app/bundle.config.ts": config, "made/": { folder: true } },
  args: ["build", "app", "--name", "line", "--json"],
  async check(cwd, { stdout }) {
    expect(JSON.parse(stdout)).toMatchObject({
      name: "line",
      args: ["from", "file"],
      writable: true,
      output: path.join(cwd, "made/of-config.run"),
    });
    const listed = await bundle(["inspect", "made/of-config.run", "--list"], { cwd });
    expect(listed.stdout).toContain("bin/app");
    expect(listed.stdout).not.toContain("bundle.config");
    const args = ["build", "app", "-o", "plain.run", "--no-config", "--json"];
    const without = JSON.parse((await bundle(args, { cwd })).stdout);
    expect(without).toMatchObject({ name: "app", args: [] });
    const named = ["build", "--config", "app/bundle.config.ts", "-o", "named.run"];
    expect(await bundle(named, { cwd })).toMatchObject({ status: 0 });
    expect(existsSync(path.join(cwd, "named.run"))).toBe(true);
  },
} satisfies Case;
