/**
 * What --needs changes for an app that an ordinary user starts, with a set-id fusermount3 and without,
 * and what the doctor says of it.
 */
import { chmodSync, copyFileSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { printed, runArguments } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { asUser, bundle, fuselage, ordinaryUser, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const { uid } = ordinaryUser();

let needs: string;
let plain: string;
let writable: string;
beforeAll(async () => {
  needs = await pack(undefined, { needs: ["setuid", "ssh"] });
  plain = await pack();
  writable = await pack({ run: runArguments }, { needs: ["keyring"], writable: true });
});

/** PATH without fusermount3. */
const without = { PATH: "/nonexistent" };

/** PATH with a fusermount3 of this mode that does nothing but fail. */
function failing(mode: number): { PATH: string } {
  const bin = temporaryDirectory();
  copyFileSync("/bin/false", path.join(bin, "fusermount3"));
  chmodSync(path.join(bin, "fusermount3"), mode);
  return { PATH: bin };
}

/** Owner of a file of root's, as the app sees it, and what the start said. */
function owner(file: string, env: Record<string, string> = {}, home = userDirectory()) {
  return asUser(file, ["/usr/bin/stat", "-c", "%u", "/etc/passwd"], home, { env });
}

/** The lines of the doctor that are about namespaces. */
async function doctor(file: string, env: Record<string, string> = {}) {
  const { stdout } = await asUser(file, ["--bundle-doctor"], userDirectory(), { env });
  const at = stdout.indexOf("userns");
  return stdout
    .slice(at)
    .replace(/\n(?:shared|starts) .*/g, "")
    .trimEnd()
    .split("\n");
}

const check = skipUnless("root", "fuse", "userns");
const withHelper = skipUnless("root", "fuse", "userns", "fusermount");

describe("an app that needs the user's namespace", () => {
  withHelper("is mounted by fusermount3 where that has its rights", async () => {
    const { stdout, stderr } = await owner(needs, { FUSELAGE_DEBUG: "1" });
    expect(stdout).toBe("0\n");
    expect(stderr).toMatch(/^fuselage: mounted by fusermount in /);
    expect(await doctor(needs)).toEqual([
      "userns      inherited: fusermount3 mounts outside of the app",
      "needs       setuid,ssh: as outside of the bundle",
    ]);
  });

  check("is extracted where it is missing, has no rights, or refuses", async () => {
    for (const env of [without, failing(0o755), failing(0o4755)]) {
      const home = userDirectory();
      for (const _ of ["first", "later"]) {
        const { stdout, stderr } = await owner(needs, { ...env, FUSELAGE_DEBUG: "1" }, home);
        expect(stdout).toBe("0\n");
        expect(stderr).toMatch(/^fuselage: mounted by extract in /);
      }
      const cached = readdirSync(path.join(home, ".fuselage/cache"));
      expect(cached.filter((name) => name.endsWith(".tree"))).toHaveLength(1);
      expect(await doctor(needs, env)).toEqual([
        "userns      inherited: the files are extracted to the disk, and nothing is mounted",
        "needs       setuid,ssh: as outside of the bundle",
      ]);
    }
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(` ${needs} `);
  });

  check("runs set-id programs with their rights, extracted", async () => {
    const id = path.join(temporaryDirectory(), "id");
    copyFileSync("/usr/bin/id", id);
    chmodSync(id, 0o4755);
    const inside = await asUser(needs, [id, "-u"], userDirectory(), { env: without });
    expect(inside.stdout).toBe("0\n");
    const contained = await asUser(plain, [id, "-u"], userDirectory(), { env: without });
    expect(contained.stdout).toBe(`${uid}\n`);
  });

  check("starts in a namespace where neither can be had, and says so in one line", async () => {
    const script = 'ulimit -f 0 && exec "$0" "$@"';
    const limited = (...args: string[]) =>
      asUser("/bin/sh", ["-c", script, ...args], userDirectory(), { env: without });
    const { status, stdout, stderr } = await limited(needs, "/usr/bin/stat", "-c%u", "/etc/passwd");
    expect({ status, stdout }).toEqual({ status: 0, stdout: "65534\n" });
    expect(stderr).toMatch(
      /^fuselage: "setuid,ssh" cannot be had here, see --bundle-doctor \(.*File too large.*\)\n$/,
    );
    const { stdout: said } = await limited(needs, "--bundle-doctor");
    expect(said).toMatch(/^userns +new: .*File too large.*\n +to do: Raise the limit/m);
    expect(said).toMatch(/^needs +setuid,ssh: not in a new user namespace$/m);
    // Without the need there is nothing to tell.
    expect(await limited(plain, "/bin/true")).toMatchObject({ status: 0, stderr: "" });
  });

  check("does what FUSELAGE_MOUNT says, without a word", async () => {
    const fuse = await owner(needs, { FUSELAGE_MOUNT: "fuse" });
    expect(fuse).toMatchObject({ status: 0, stdout: "65534\n", stderr: "" });
    // Extraction it has without a namespace; others have it in one.
    for (const [file, expected] of [
      [needs, "0\n"],
      [plain, "65534\n"],
    ] as const) {
      const env = { ...without, FUSELAGE_MOUNT: "extract" };
      expect((await owner(file, env)).stdout).toBe(expected);
    }
  });

  check("with a writable copy has a namespace, which the doctor says", async () => {
    expect((await owner(writable)).stdout).toBe("65534\n");
    expect(await doctor(writable)).toEqual([
      "userns      new: a writable copy is private to its start",
      "needs       keyring: not in a new user namespace",
    ]);
  });

  check("has no set-id rights with no_new_privs, and the doctor knows", async () => {
    const args = ["--no-new-privs", needs, "--bundle-doctor"];
    const { stdout } = await asUser("setpriv", args, userDirectory());
    expect(stdout).toMatch(/^userns +inherited: the files are extracted to the disk/m);
    expect(stdout).toMatch(
      /^needs +setuid,ssh: setuid gives no rights here, no_new_privs is set$/m,
    );
  });

  check("is mounted for root as any other", async () => {
    const env = { FUSELAGE_DEBUG: "1", HOME: temporaryDirectory() };
    const { stdout, stderr } = await run(needs, ["stat", "-c%u", "/etc/passwd"], { env });
    expect(stdout).toBe("0\n");
    expect(stderr).toMatch(/^fuselage: mounted by (loop|fuse) in /);
    expect(printed(await run(needs, ["--bundle-doctor"], { env }))).toMatch(
      /^userns +inherited: a process that may mount needs no other\nneeds +setuid,ssh: as outside/m,
    );
  });
});

describe("the doctor", () => {
  check("says of an app without needs why it has a namespace of its own", async () => {
    expect(await doctor(plain, without)).toEqual([
      "userns      new: fusermount3 is not installed (package fuse3)",
      "              to do: install fuse3",
    ]);
  });

  check("says it of a command of the runner", async () => {
    const args = ["--doctor", "text", `--static=a:${plain}`];
    const { stdout } = await asUser(fuselage, args, userDirectory());
    expect(stdout).toMatch(/^userns +new: the archives of a command are private to it$/m);
  });

  check("says of each way that works which namespace it leads to", async () => {
    const args = ["--bundle-doctor", "--json"];
    const found = async (file: string) => {
      const { stdout } = await asUser(file, args, userDirectory(), { env: without });
      const findings: { strategy: string; userNamespace?: string }[] = JSON.parse(stdout);
      return Object.fromEntries(findings.map((one) => [one.strategy, one.userNamespace]));
    };
    expect(await found(needs)).toEqual({ fuse: "new", extract: "inherited" });
    expect(await found(plain)).toEqual({ fuse: "new", extract: "new" });
  });
});

skipUnless()("what is recorded is shown, and kept when the bundle is built again", async () => {
  expect(printed(await run(needs, ["--bundle-info"]))).toMatch(/^needs: +setuid,ssh$/m);
  expect(printed(await bundle(["inspect", needs]))).toMatch(/^needs +setuid, ssh$/m);
  const { manifest } = JSON.parse(printed(await bundle(["inspect", needs, "--json"])));
  expect(manifest.needs).toEqual(["setuid", "ssh"]);
  const again = path.join(temporaryDirectory(), "again");
  printed(await bundle(["build", needs, "-o", again, "--needs", "keyring,ssh"]));
  expect(printed(await run(again, ["--bundle-info"]))).toMatch(/^needs: +setuid,ssh,keyring$/m);
  expect(printed(await run(plain, ["--bundle-info"]))).not.toContain("needs");
});
