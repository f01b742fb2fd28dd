/**
 * Images whose maker wants out: links at every place where something of the machine's is put. What is outside of the
 * image is not followed, made, covered or changed; the app starts all the same, or the start says why not.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { skipUnless } from "../support/needs.ts";
import {
  homeFor,
  rootBundle,
  shell,
  starters,
  startNeeds,
  startRoot,
} from "../support/root-image.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** What a start could have reached outside. */
let outside: string;
beforeAll(() => {
  outside = temporaryDirectory();
  mkdirSync(path.join(outside, "dir"));
  writeFileSync(path.join(outside, "canary"), "untouched\n");
});

function expectUntouched() {
  expect(readdirSync(outside).sort()).toEqual(["canary", "dir"]);
  expect(readdirSync(path.join(outside, "dir"))).toEqual([]);
  expect(readFileSync(path.join(outside, "canary"), "utf8")).toBe("untouched\n");
}

describe.each(starters)("a hostile image, started $title,", (starter) => {
  const test = skipUnless(...startNeeds(starter));

  test("with links where the system's directories belong has these", async () => {
    const file = await rootBundle({
      proc: { link: "/etc" },
      sys: { link: "../../../etc" },
      dev: { link: "/proc/1/cwd" },
      tmp: { link: "/proc/self/cwd" },
      run: { link: `${outside}/dir` },
      "etc/resolv.conf": { link: `${outside}/canary` },
      "etc/hosts": { link: "../../../../../../.." },
      "etc/hostname/now": "a directory with a file\n",
      "etc/localtime": { link: "/etc/zone" },
      "etc/zone": "the image's zone\n",
    });
    const home = homeFor(starter);
    const refused = await startRoot(starter, file, [], ["true"], home);
    expect(refused.stderr).toMatch(/E_ROOT_SOURCE.*\/etc\/hostname.*Directory not empty/);
    const script = `for d in /proc /sys /dev /tmp /run; do test -L $d && echo link $d; done
      test -d /proc/self && test -c /dev/null && test -d /sys/class && touch /tmp/a /run/b
      cat /etc/zone; ls / | tr '\\n' ' '; cat /etc/hosts | head -1 >/dev/null && echo hosts`;
    const said = await shell(starter, file, ["--hostname", "h"], script, home);
    expect(said).toMatch(/^the image's zone\nbin dev etc proc .*hosts$/s);
    expectUntouched();
  });

  test("with a link above the home directory, to outside, does not lead there", async () => {
    const home = homeFor(starter);
    const inner = path.join(home, "inner");
    mkdirSync(inner, { mode: 0o777 });
    // What is above the home is the image's, but for /tmp.
    const file = await rootBundle({ away: { link: `${outside}/dir` } });
    const env = { HOME: inner };
    const script = "test -d $HOME && test -e /etc/resolv.conf && echo inside";
    const volume = ["-v", `${inner}:/away/here`];
    expect(await shell(starter, file, [], script, home, { env })).toBe("inside");
    const outcome = await startRoot(starter, file, volume, ["true"], home, { env });
    expect(outcome.stderr).toContain("E_ROOT_SOURCE");
    expectUntouched();
  });

  test("cannot lead a volume or the working directory into what was put there before", async () => {
    const home = homeFor(starter);
    const data = homeFor(starter);
    const file = await rootBundle({
      data: { link: home },
      self: { link: "/proc/self/fd" },
      up: { link: "../../../.." },
      gone: { link: "/nowhere" },
    });
    for (const inside of ["/data/made", "/gone", "/self/3"]) {
      const outcome = await startRoot(starter, file, ["-v", `${data}:${inside}`], ["true"], home);
      expect([inside, outcome.status === 0, outcome.stderr]).toEqual([
        inside,
        false,
        expect.stringContaining("E_ROOT_SOURCE"),
      ]);
    }
    expect(readdirSync(home)).not.toContain("made");
    const up = await shell(starter, file, ["-v", `${outside}:/up/up/x:ro`], "cat /x/canary", home);
    expect(up).toBe("untouched");
    const volume = ["-v", `${data}:/run`];
    for (const dir of ["/self/0", "/data/made", "/gone/made", "/run/made"]) {
      const workdir = await startRoot(starter, file, [...volume, "-w", dir], ["pwd"], home);
      expect([dir, workdir.stderr]).toEqual([dir, expect.stringContaining("E_ROOT_SOURCE")]);
    }
    expect([...readdirSync(home), ...readdirSync(data)]).not.toContain("made");
    expectUntouched();
  });

  test("has no descriptor, mount or process that leads out with --contain", async () => {
    const file = await rootBundle();
    const home = homeFor(starter);
    const script = `for d in /proc/$$/fd/*; do test -d $d && echo directory $d; done
      ls /proc/1/root /proc/1/cwd >/dev/null;
      cat /proc/1/root${outside}/canary /proc/1/cwd${outside}/canary; ls /proc/1/fd;
      cut -d' ' -f5 /proc/self/mountinfo | grep -c ${outside}; umount /proc/kcore; unshare -Ur true`;
    const { stdout, stderr } = await startRoot(
      starter,
      file,
      ["--contain"],
      ["sh", "-c", script],
      home,
    );
    expect(stdout).not.toMatch(/directory|untouched/);
    expect(stderr).toMatch(/umount.*kcore/);
    expectUntouched();
  });

  test("cannot name users that are none", async () => {
    const file = await rootBundle({
      "etc/passwd": `a:x:99999999999:0::/:\nb:x:-1:0::/:\n:x:1:1::/:\nc:x\n${"d".repeat(9999)}`,
      "etc/group": "g:x:4294967295:a\n",
    });
    for (const user of ["a", "b", "c", "0:g"]) {
      const outcome = await startRoot(starter, file, ["-u", user], ["id"], homeFor(starter));
      expect(outcome.stderr).toContain("E_ROOT_USER");
    }
  });
});
