/** A setuid-root runner in the hands of uid 1000: what an image may hold gives nothing of root's. */
import { randomUUID } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { mksquashfs } from "../support/bundle-of.ts";
import { isRoot, ordinaryUser, run } from "../support/process.ts";
import { ask, checkOf, imageOf, refused, start, setuidRoot as way } from "../support/runner.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const check = checkOf(way);
const { uid, gid } = ordinaryUser();

/** A file that only what escapes from an image could make. */
const outside = `/tmp/escaped-${randomUUID()}`;

/** A file of root's, mode 0600. */
let secret: string;
beforeAll(() => {
  secret = path.join(temporaryDirectory(), "secret.txt");
  writeFileSync(secret, "for root's eyes only\n");
  chmodSync(secret, 0o600);
});

describe("what an image holds", () => {
  const types = [["loop"], ["fuse"], ["extract"]] as const;
  let evil: string;
  beforeAll(async () => {
    if (!isRoot) return;
    const dir = path.join(temporaryDirectory(), "tree");
    mkdirSync(dir);
    const script = `cd "$0" && cp "$(command -v id)" id && chmod 6755 id && mknod mem c 1 1 &&
      mknod null c 1 3 && mknod disk b 7 0 && chmod 666 mem null disk && ln -s "$1" link &&
      cp "$(command -v cat)" cat && setcap cap_dac_override+ep cat 2>/dev/null; true`;
    await run("sh", ["-c", script, dir, secret]);
    evil = await mksquashfs(dir);
  });

  for (const [type] of types) {
    for (const [option, variable] of [
      ["-s", "STATIC"],
      ["-d", "DYNAMIC"],
    ] as const) {
      if (option === "-d" && type === "loop") continue; // a writable copy takes FUSE
      const inside = (command: string) => [
        `--mount-type=${type}`,
        option,
        `a:${evil}`,
        ...["sh", "-c", `cd "$FUSELAGE_${variable}/a" && ${command}`],
      ];

      check(`${type}, ${option}: a set-id program gives no privilege`, async () => {
        expect(await ask(way, inside("./id -u; ./id -g"))).toBe(`${uid}\n${gid}\n`);
      });

      check(
        `${type}, ${option}: file capabilities and links lead to nothing of root's`,
        async () => {
          const { status, stdout } = await start(way, inside(`cat link; ./cat ${secret}`));
          expect(status).not.toBe(0);
          expect(stdout).toBe("");
        },
      );

      check(`${type}, ${option}: device nodes do not open`, async () => {
        for (const name of ["mem", "null", "disk"]) {
          const { status, stdout } = await start(way, inside(`head -c 1 ${name}`));
          expect({ name, status, stdout }).toEqual({ name, status: 1, stdout: "" });
        }
      });
    }
  }

  const names: [string, string][] = [
    ["..", "qz"],
    ["a/b", "aqb"],
    [".", "q"],
    [`../../../..${outside}`, "q".repeat("../../../..".length + outside.length)],
  ];
  for (const [name, stand] of names) {
    check(`a squashfs image with an entry named "${name}" writes nothing outside`, async () => {
      const plain = await imageOf({ [stand]: "escaped\n" }, "-noI", "-noD", "-noF", "-noX");
      const bytes = readFileSync(plain);
      const at = bytes.lastIndexOf(stand);
      expect(at).toBeGreaterThan(0);
      bytes.write(name, at, "latin1");
      const file = path.join(temporaryDirectory(), "evil.sfs");
      writeFileSync(file, bytes);
      for (const option of ["-s", "-d"]) {
        const home = userDirectory();
        const args = ["--mount-type=extract", option, `a:${file}`, "true"];
        const outcome = await refused(way, args, home);
        expect(outcome).toMatchObject({ status: 125, code: "E_IMAGE_CORRUPT" });
        expect(existsSync(outside)).toBe(false);
        expect((await run("find", [home, "-type", "f"])).stdout).toBe("");
      }
      const listed = await start(way, [
        "--mount-type=fuse",
        "-s",
        `a:${file}`,
        "sh",
        "-c",
        'ls -A "$FUSELAGE_STATIC/a"',
      ]);
      expect(listed.stdout).toBe("");
    });
  }
});
