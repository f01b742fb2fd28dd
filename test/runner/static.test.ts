/** Specification, "--static". */
import { closeSync, openSync, writeSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { printed } from "../support/bundle-of.ts";
import type { Need } from "../support/needs.ts";
import { root, run } from "../support/process.ts";
import {
  ask,
  checkOf,
  homeOf,
  imageOf,
  refused,
  start,
  type Way,
  ways,
} from "../support/runner.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let image: string;
beforeAll(async () => {
  image = await imageOf();
});

/** How squashfs is mounted without being asked for a type. */
function mounted(way: Way): { type: string; needs: Need[] } {
  if (way.root || way.setuid) return { type: "squashfs", needs: ["loop"] };
  return { type: "fuse.fuselage", needs: ["fuse"] };
}

describe.each(ways)("$title", (way) => {
  const { type, needs } = mounted(way);
  const check = checkOf(way);
  const checkMounted = checkOf(way, ...needs);

  check("the directory appears at $FUSELAGE_STATIC/NAME/", async () => {
    const script = 'cd "$FUSELAGE_STATIC/name" && ls && cat file';
    const out = await ask(way, [`--static=name:${image}`, "sh", "-c", script]);
    expect(out).toBe("absolute\nbin\nclimbing\nfile\nlink\noutside\nplain\npacked\n");
  });

  checkMounted(`squashfs images are mounted directly (${type}), never extracted`, async () => {
    const script = 'grep " $FUSELAGE_STATIC/a " /proc/self/mountinfo';
    const home = homeOf(way);
    const line = await ask(way, [`--static=a:${image}`, "sh", "-c", script], home);
    expect(line).toMatch(new RegExp(` ro,nosuid,nodev\\S* (\\S+ )*- ${type.replace(".", "\\.")} `));
  });

  check("images are read-only", async () => {
    const script = `cd "$FUSELAGE_STATIC/a"
      for change in 'touch new' 'rm file' 'mkdir d' 'chmod 777 file' 'mv file other' 'echo x >> file'
      do LC_ALL=C sh -c "$change" 2>&1; done; ls | wc -l; cat file`;
    const out = await ask(way, ["-s", `a:${image}`, "sh", "-c", script]);
    const lines = out.trim().split("\n");
    expect(lines.splice(-2)).toEqual(["7", "packed"]);
    expect(lines).toHaveLength(6);
    for (const line of lines) expect(line).toContain("Read-only file system");
  });

  const types: [string, Need[]][] = way.root || way.setuid ? [["loop", ["loop"]]] : [];
  types.push(["fuse", ["fuse"]], ["extract", []]);
  for (const [mountType, more] of types) {
    checkOf(way, ...more)(`--mount-type=${mountType} shows the same, read-only`, async () => {
      const script =
        'cd "$FUSELAGE_STATIC/a" && cat file && readlink absolute && LC_ALL=C touch x; ./bin/say 1 2';
      const args = [`--mount-type=${mountType}`, "-s", `a:${image}`, "sh", "-c", script];
      const { status, stdout, stderr } = await start(way, args);
      expect({ status, stdout }).toEqual({ status: 0, stdout: "packed\n/bin/say\n<1><2>" });
      expect(stderr).toContain("Read-only file system");
    });
  }

  check("several images each have their place, in any number", async () => {
    const names = Array.from({ length: 12 }, (_, i) => `n${i}`);
    const args = names.flatMap((name) => ["-s", `${name}:${image}`]);
    const out = await ask(way, [...args, "sh", "-c", 'cat "$FUSELAGE_STATIC"/*/file | wc -l']);
    expect(out.trim()).toBe("12");
  });

  check("the image file itself is left as it was", async () => {
    const digest = async () => (await run("sha256sum", [image])).stdout;
    const before = await digest();
    await ask(way, ["-s", `a:${image}`, "-d", `b:${image}`, "sh", "-c", "true"]);
    expect(await digest()).toBe(before);
  });

  checkOf(way, "python3")(
    "what follows the image in its file, 1 GB of it, is not read",
    async () => {
      const big = await imageOf({ file: "packed\n" });
      const copy = `${temporaryDirectory()}/big.sfs`;
      await run("cp", [big, copy]);
      const fd = openSync(copy, "r+");
      writeSync(fd, Buffer.alloc(1), 0, 1, 1 << 30);
      closeSync(fd);
      const args = ["-s", copy, "sh", "-c", 'cat "$FUSELAGE_STATIC/big/file"'];
      expect(await ask(way, args)).toBe("packed\n");
      // What is read of a file is in the page cache, whatever stands there.
      const look = [path.join(root, "test/support/resident.py"), copy, "0", "0"];
      const pages = printed(await run("python3", look));
      expect(pages.length).toBeGreaterThan(1 << 18);
      expect(pages.match(/1/g)?.length).toBeLessThan(1000);
    },
  );

  if (!way.root && !way.setuid) {
    check("--mount-type=loop says what it needs", async () => {
      const { status, code, stderr } = await refused(way, [
        "--mount-type=loop",
        "-s",
        image,
        "true",
      ]);
      expect({ status, code }).toEqual({ status: 125, code: "E_MOUNT_REFUSED" });
      expect(stderr).toMatch(/loop: needs CAP_SYS_ADMIN/);
    });
  }
});
