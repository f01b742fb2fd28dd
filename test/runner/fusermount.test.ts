/** --mount-type=fusermount: read-only images on the host, without a namespace, and cleaned up. */
import { once } from "node:events";
import { readFileSync, readlinkSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { leftovers, nothing } from "../support/leftovers.ts";
import { ordinaryUser } from "../support/process.ts";
import {
  ask,
  checkOf,
  fixedPath,
  hold,
  homeOf,
  imageOf,
  refused,
  runnerOf,
  watch,
  ways,
} from "../support/runner.ts";

let image: string;
beforeAll(async () => {
  image = await imageOf();
});

const type = "--mount-type=fusermount";

describe.each(ways)("$title", (way) => {
  const check = checkOf(way, "fuse", "fusermount");
  const id = way.root ? 0 : ordinaryUser().uid;

  check("--static is shown without a namespace, read-only, nosuid and nodev", async () => {
    const script =
      'cat "$FUSELAGE_STATIC/a/file"; readlink /proc/self/ns/mnt; grep " $FUSELAGE_STATIC/a " /proc/self/mountinfo';
    const out = await ask(way, [type, "-s", `a:${image}`, "sh", "-c", script]);
    const [content, space, mount] = out.split("\n");
    expect({ content, space }).toEqual({
      content: "packed",
      space: readlinkSync("/proc/self/ns/mnt"),
    });
    expect(mount).toMatch(/ ro,nosuid,nodev.* - fuse/);
  });

  check("what needs a namespace is refused in words", async () => {
    const forms = [["-d", `a:${image}`], ["--dynamic-empty=e"], ["-s", `${fixedPath()}:${image}`]];
    for (const form of forms) {
      const home = homeOf(way);
      const left = watch(way, home, [image]);
      const outcome = await refused(way, [type, ...form, "echo", "started"], home);
      expect(outcome).toMatchObject({ status: 125, code: "E_MOUNT_REFUSED", stdout: "" });
      expect(outcome.stderr).toMatch(/without a namespace/);
      expect(await left()).toEqual(nothing);
    }
  });

  check("nothing is left after the end", async () => {
    const home = homeOf(way);
    const left = watch(way, home, [image]);
    const script = 'echo x > "$FUSELAGE_TMPDIR/f"; cat "$FUSELAGE_STATIC/a/file"';
    expect(await ask(way, [type, "-s", `a:${image}`, "sh", "-c", script], home)).toBe("packed\n");
    expect(await left()).toEqual(nothing);
  });

  check("nothing is left after kill -9, and who cleans up is the caller", async () => {
    const home = homeOf(way);
    const left = watch(way, home, [image]);
    const { child, end } = await hold(way, [type, "-s", `a:${image}`], "echo up", home);
    const file = runnerOf(way);
    const helpers = leftovers({ files: [file] }).processes.filter((line) => line.includes(file));
    expect(helpers.length).toBeGreaterThanOrEqual(2);
    for (const line of helpers) {
      const text = readFileSync(path.join("/proc", line.split(" ")[0] as string, "status"), "utf8");
      expect(text).toMatch(new RegExp(`^Uid:\t${id}\t${id}\t${id}\t${id}$`, "m"));
      if (!way.root) expect(text).toMatch(/^CapPrm:\t0+$/m);
    }
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
    await end();
    expect(await left()).toEqual(nothing);
  });
});
