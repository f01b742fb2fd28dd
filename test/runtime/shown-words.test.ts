/** Words of a manifest that a terminal would obey: none is printed as it is, whoever prints it. */
import { beforeAll, describe, expect } from "vitest";
import type { Manifest } from "../../builder/manifest/manifest.ts";
import { bundleOf, mksquashfs } from "../support/bundle-of.ts";
import { writeFiles } from "../support/case.ts";
import { skipUnless } from "../support/needs.ts";
import { asUser, bundle, type Outcome, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const evil = "\u001b]0;x\u0007\u009b2J\u202e";
const bytes = (text: string) => Buffer.from(text).toString("latin1");
const shown = "\\x1b]0;x\\x07\\xc2\\x9b2J\\xe2\\x80\\xae";
const sha = "0".repeat(64);

let image: string;
beforeAll(async () => {
  const dir = temporaryDirectory();
  writeFiles(dir, { run: "#!/bin/sh\nexit 0\n", data: "x" });
  image = await mksquashfs(dir, "-all-root");
});

/** A word of each record that is printed somewhere, and where. */
const cases: Record<string, { manifest: Partial<Manifest>; by: string[] }> = {
  name: { manifest: { name: bytes(`a${evil}`) }, by: ["--bundle-info", "--bundle-help"] },
  entry: { manifest: { entry: bytes(`run${evil}`) }, by: ["--bundle-info", "start"] },
  needs: {
    manifest: { needs: [bytes(`setuid${evil}`)] },
    by: ["--bundle-info", "--bundle-doctor"],
  },
  libc: {
    manifest: {
      libc: [bytes(`glibc ${evil}, auto, loader /lib64/ld-linux-x86-64.so.2, needs GLIBC_2.2.5`)],
    },
    by: ["--bundle-info", "--bundle-doctor"],
  },
  keep: {
    manifest: { keep: [bytes(`1 ${sha} data${evil}`)] },
    by: ["--bundle-doctor", "start"],
  },
  map: { manifest: { maps: [bytes(`.=?/opt/x${evil}`)] }, by: ["--bundle-info", "start"] },
  sandbox: { manifest: { sandbox: [bytes(`fs /a${evil} ro`)] }, by: ["--bundle-info", "start"] },
  env: { manifest: { env: [bytes(`A=${evil}`)] }, by: ["--bundle-info"] },
};

describe.each(Object.entries(cases))("%s", (_, { manifest, by }) => {
  for (const asRoot of [true, false]) {
    const check = skipUnless(...(asRoot ? (["root"] as const) : []), "mksquashfs");
    check(`is shown as text, ${asRoot ? "as root" : "as a user"}`, async () => {
      const file = await bundleOf(image, manifest);
      const texts: string[] = [];
      for (const way of by) {
        const home = asRoot ? temporaryDirectory() : userDirectory();
        const args = way === "start" ? [] : [way];
        const env = { HOME: home, FUSELAGE_DEBUG: "1", FUSELAGE_LINGER: "0" };
        const outcome: Outcome = asRoot
          ? await run(file, args, { env })
          : await asUser(file, args, home, { env });
        texts.push(outcome.stdout + outcome.stderr);
        expect({
          way,
          found: (outcome.stdout + outcome.stderr).match(/(?![\n\t])\p{Cc}|\u202e/gu),
        }).toEqual({ way, found: null });
      }
      // What is kept is said where a start of that machine keeps it.
      const isSaid = manifest.keep !== undefined || texts.some((text) => text.includes(shown));
      expect(isSaid).toBe(true);
    });
  }
});

/** All that an image's config can say, and names of files. */
const everything: Partial<Manifest> = {
  name: bytes(`a${evil}`),
  entry: undefined,
  root: "image",
  args: [bytes(`arg${evil}`)],
  env: [bytes(`A=${evil}`)],
  cmd: [bytes(`cmd${evil}`)],
  user: bytes(`user${evil}`),
  workdir: bytes(`/work${evil}`),
  ports: [bytes(`80${evil}/tcp`)],
  volumes: [bytes(`/vol${evil}`)],
  stopSignal: bytes(`TERM${evil}`),
  labels: [bytes(`l${evil}=v${evil}`)],
  source: bytes(`source${evil}`),
};

describe("bundle shows as text what an image says", () => {
  const check = skipUnless("mksquashfs");
  const commands = [
    ["inspect"],
    ["inspect", "--json"],
    ["dump"],
    ["dump", "--json"],
    ["check"],
    ["check", "--json"],
    ["diff", "other"],
    ["build", "-o", "out.run", "--explain"],
    ["build", "-o", "out.run"],
    ["build", "-o", "out.run", "--json"],
    ["export", "--to", "oci:layout"],
    ["export", "--runtime-bundle", "container"],
    ["extract", `none${evil}`],
    ["cat", `none${evil}`],
    ["doctor"],
  ];
  for (const [command = "", ...args] of commands) {
    check(JSON.stringify([command, ...args]), async () => {
      const cwd = temporaryDirectory();
      const tree = temporaryDirectory();
      const places = Object.fromEntries(
        ["proc", "sys", "dev", "tmp", "run"].map((name) => [`${name}/x`, ""]),
      );
      writeFiles(tree, { [`file${evil}`]: "x", "bin/sh": "x", ...places });
      const file = await bundleOf(await mksquashfs(tree, "-all-root"), everything);
      const other = await bundleOf(image);
      const given = args.map((arg) => (arg === "other" ? other : arg));
      const { stdout, stderr } = await bundle([command, file, ...given], { cwd });
      expect((stdout + stderr).match(/(?![\n\t])\p{Cc}|\u202e/gu)).toBeNull();
      expect(stdout + stderr).not.toBe("");
    });
  }
});
