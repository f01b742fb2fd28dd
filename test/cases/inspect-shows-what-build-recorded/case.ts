import { expect } from "vitest";
import { version } from "../../../builder/generated/spec.ts";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: { ...smallApp, "app/data": "some text", "app/link": { link: "data" } },
  async prepare(cwd) {
    const options = ["--arg=x", "--env", "A=b", "--no-runtime-options", "--compression", "gzip:6"];
    await bundle(["build", "app", "-o", "out", "--arch", "aarch64", ...options], { cwd });
  },
  args: ["inspect", "out", "--json", "--list"],
  check(_, { stdout }) {
    const shown = JSON.parse(stdout);
    expect(shown).toMatchObject({
      kind: "bundle",
      arch: "aarch64",
      manifest: {
        name: "app",
        entry: "bin/app",
        args: ["x"],
        env: ["A=b"],
        runtimeOptions: false,
        version,
      },
      image: { compression: "gzip", blockSize: 131072 },
    });
    const paths = shown.entries.map((entry: { path: string }) => entry.path);
    expect(paths).toEqual(["", "bin", "bin/app", "data", "link"]);
  },
} satisfies Case;
