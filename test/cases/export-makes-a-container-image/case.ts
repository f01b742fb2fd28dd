import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: { ...smallApp, "app/bin/sh": "#!/bin/none\n" },
  async prepare(cwd) {
    await bundle(["pack", "app", "-o", "app.sfs"], { cwd });
  },
  args: ["export", "app.sfs", "--to", "oci:images:1.0", "--tag", "latest"],
  stdout: /^oci:images:1\.0: 1\.0, latest, [0-9.]+ KiB\nsha256:[0-9a-f]{64}\n$/,
  check(cwd) {
    const index = JSON.parse(readFileSync(`${cwd}/images/index.json`, "utf8"));
    expect(index.manifests).toHaveLength(2);
  },
} satisfies Case;
