import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { Layout } from "../../support/oci.ts";
import { bundle } from "../../support/process.ts";
import { tarOf } from "../../support/tar.ts";

export default {
  files: {
    "conf/bundle.config.json": JSON.stringify({
      input: "oci:images",
      arch: "x86_64",
      entry: "/other",
      env: ["A=2"],
    }),
  },
  prepare(dir) {
    const layout = new Layout(`${dir}/conf/images`);
    const config = { Entrypoint: ["/app"], Cmd: ["-v"], Env: ["A=1", "B=1"] };
    layout.index(layout.image([tarOf({ name: "app" }, { name: "other" })], { config }));
  },
  args: ["build", "--config", "conf/bundle.config.json", "-o", "out"],
  async check(cwd) {
    const { stdout } = await bundle(["inspect", "out", "--json"], { cwd });
    const { manifest } = JSON.parse(stdout);
    // What the build says goes before the config; --entry leaves no Cmd over.
    expect(manifest).toMatchObject({ name: "images", args: ["/other"], root: "image" });
    expect(manifest.env.slice(-1)).toEqual(["A=2"]);
    expect(manifest.cmd ?? []).toEqual([]);
  },
} satisfies Case;
