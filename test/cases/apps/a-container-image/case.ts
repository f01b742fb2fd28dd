import { readFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { Layout, named } from "../../../support/oci.ts";
import { type Member, tarOf } from "../../../support/tar.ts";

const folder = (name: string, mode = "0000755"): Member => ({ name: `${name}/`, type: "5", mode });
const script = (name: string, data: string): Member => ({ name, data, mode: "0000755" });

/** An image of two layers in a layout: a busybox, and an app that says who it is and what it was given. */
export default {
  needs: ["busybox"],
  make(dir) {
    const layout = new Layout(path.join(dir, "images"));
    const busybox = readFileSync("/usr/bin/busybox");
    const applets = ["sh", "cat", "id", "echo", "pwd"];
    const base = tarOf(
      ...["bin", "etc", "srv"].map((name) => folder(name)),
      { name: "bin/busybox", data: busybox, mode: "0000755" },
      ...applets.map((name): Member => ({ name: `bin/${name}`, type: "2", linkName: "busybox" })),
      { name: "etc/passwd", data: "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/srv:/bin/sh\n" },
      { name: "etc/group", data: "root:x:0:\nweb:x:102:\n" },
      { name: "srv/greeting", data: "of the layer below\n" },
    );
    const app = tarOf(
      script(
        "bin/app",
        '#!/bin/sh\nid -u; pwd; cat greeting; echo "$SAYS $*"; exit "${CODE:-0}"\n',
      ),
      { name: "srv/greeting", data: "of the layer above\n" },
    );
    const config = {
      Entrypoint: ["app", "first"],
      Cmd: ["default"],
      Env: ["PATH=/bin", "SAYS=arguments:"],
      WorkingDir: "/srv",
      User: "web",
    };
    layout.index(named(layout.image([base, app], { config }), "1.0"));
    return ["oci:images:1.0"];
  },
  says: /^kind: image \(by its name\)$/m,
  async check({ file, command, run, home }) {
    const said = (args: string) => `101\n/srv\nof the layer above\narguments: ${args}\n`;
    expect(await run()).toMatchObject({ status: 0, stderr: "", stdout: said("first default") });
    expect(await run(["own", "two words"])).toMatchObject({ stdout: said("first own two words") });
    const inside = (...args: string[]) => command(file, ["--bundle-run", ...args], { cwd: home });
    expect(await inside("-e", "CODE=7", "--contain")).toMatchObject({ status: 7 });
    expect((await inside("-u", "root", "--entrypoint", "id", "--", "-u")).stdout).toBe("0\n");
    const changed = ["--shell", "--", "-c", "echo new > /srv/greeting; cat /srv/greeting"];
    expect((await inside("-u", "root", ...changed)).stdout).toBe("new\n");
    expect((await run()).stdout).toBe(said("first default"));
  },
} satisfies AppCase;
