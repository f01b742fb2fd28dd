import { existsSync } from "node:fs";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { Layout } from "../../support/oci.ts";
import { tarOf } from "../../support/tar.ts";

export default {
  prepare(dir) {
    const layout = new Layout(`${dir}/images`);
    const config = {
      Entrypoint: ["/run me"],
      Cmd: ["-v"],
      User: "7",
      ExposedPorts: { "80/tcp": {} },
    };
    layout.index(
      layout.image([tarOf({ name: "run me" }, { name: "dev/null", type: "3" })], { config }),
    );
  },
  args: ["build", "oci:images", "--explain", "--arch", "x86_64"],
  stdout:
    /kind: image.*manifest: sha256:.*layer: sha256:.*entrypoint: "\/run me"\n.*no arguments are given: "-v"\n.*user: 7\nports: 80\/tcp\n.*added to mount on: .*dev\/null: devices/s,
  check(dir) {
    expect(existsSync(`${dir}/out`)).toBe(false);
  },
} satisfies Case;
