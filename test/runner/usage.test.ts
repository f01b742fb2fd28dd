/** Specification, "Overview", "Usage", "COMMAND" and "Examples": the command line. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { printed } from "../support/bundle-of.ts";
import { leftovers, nothing } from "../support/leftovers.ts";
import { ordinaryUser, root, run } from "../support/process.ts";
import {
  ask,
  asRoot,
  checkOf,
  hold,
  homeOf,
  imageOf,
  refused,
  runnerOf,
  start,
  watch,
  ways,
} from "../support/runner.ts";
import { startsOf } from "../support/start.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let image: string;
beforeAll(async () => {
  image = await imageOf();
});

const printAll = ["printf", "<%s>"];

describe.each(ways)("$title", (way) => {
  const check = checkOf(way);

  check("all options are optional: `fuselage sh` gives an ephemeral tmpdir", async () => {
    const home = homeOf(way);
    const script = 'cd "$FUSELAGE_TMPDIR" && ls -A && echo hi > f && cat f && pwd';
    const [hi, dir] = (await ask(way, ["sh", "-c", script], home)).split("\n");
    expect(hi).toBe("hi");
    expect(dir).toMatch(new RegExp(`^${startsOf(way)}/\\d+/tmp$`));
    expect(existsSync(dir ?? "")).toBe(false);
  });

  check("--doctor tries the archives in place of a command, and wants nothing else", async () => {
    const findings: { works: boolean }[] = JSON.parse(
      await ask(way, ["--doctor=json", "-s", `a:${image}`]),
    );
    expect(findings.some(({ works }) => works)).toBe(true);
    for (const args of [["--doctor=xml", "-s", image], ["--doctor=text"]]) {
      expect(await refused(way, args)).toMatchObject({ status: 125, code: "E_USAGE" });
    }
    const command = await refused(way, ["--doctor=text", "-s", image, "true"]);
    expect(command).toMatchObject({ status: 125, code: "E_USAGE" });
  });

  check("-- ends the options", async () => {
    expect(await ask(way, ["--", ...printAll, "--static"])).toBe("<--static>");
    expect(await ask(way, ["-s", image, "--", "printf", "<%s>", "--", "x"])).toBe("<--><x>");
  });

  check("the first argument that is no option ends the options", async () => {
    const args = ["--static=nothing", "-s", "--help", "--", "--run=x"];
    const expected = args.map((arg) => `<${arg}>`).join("");
    expect(await ask(way, [...printAll, ...args])).toBe(expected);
  });

  check("arguments of the command arrive as they are", async () => {
    const args = ["", "a b", "'", "\n", "*", "$HOME", "\u{1f600}"];
    expect(await ask(way, [...printAll, ...args])).toBe(args.map((arg) => `<${arg}>`).join(""));
  });

  check("`--opt=VALUE`, `--opt VALUE`, `-s VALUE` and `-sVALUE` are the same", async () => {
    const value = `a:${image}`;
    const uses: [string, string, string][] = [
      ["--static", "-s", "STATIC"],
      ["--dynamic", "-d", "DYNAMIC"],
    ];
    for (const [name, letter, variable] of uses) {
      const forms = [[`${name}=${value}`], [name, value], [letter, value], [`${letter}${value}`]];
      for (const form of forms) {
        const args = [...form, "sh", "-c", `cat "$FUSELAGE_${variable}/a/file"`];
        expect(await ask(way, args), form.join(" ")).toBe("packed\n");
      }
    }
  });

  check("there is no isolation: PID space, network, UID and environment stay", async () => {
    const script =
      'for ns in pid net ipc uts cgroup; do readlink /proc/self/ns/$ns; done; id -u; echo "$A"';
    const out = await ask(way, ["sh", "-c", script], undefined, { env: { A: "kept" } });
    const spaces = ["pid", "net", "ipc", "uts", "cgroup"];
    const host = spaces.map((name) => readlinkSync(`/proc/self/ns/${name}`));
    const uid = way.root ? 0 : ordinaryUser().uid;
    expect(out.trim().split("\n")).toEqual([...host, `${uid}`, "kept"]);
  });

  check("the only thing that is added is a private mount namespace", async () => {
    const inside = (await ask(way, ["readlink", "/proc/self/ns/mnt"])).trim();
    expect(inside).toMatch(/^mnt:\[\d+\]$/);
    expect(inside).not.toBe(readlinkSync("/proc/self/ns/mnt"));
  });

  check("the ephemeral mounts are invisible to other processes", async () => {
    const home = homeOf(way);
    const script = 'cat "$FUSELAGE_STATIC/image/file"';
    const { said, end } = await hold(way, ["-s", image], script, home);
    try {
      expect(said).toBe("packed\n");
      expect(leftovers({ homes: [home] }).procdirs).toEqual([]);
      expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(home);
    } finally {
      await end();
    }
  });

  check("they vanish automatically when the command exits", async () => {
    const home = homeOf(way);
    const left = watch(way, home, [image]);
    await ask(way, ["-s", image, "-d", `d:${image}`, "--dynamic-empty=e", "true"], home);
    expect(await left()).toEqual(nothing);
    expect(leftovers({ homes: [home] }).procdirs).toEqual([]);
  });

  check("the process that was started becomes the command", async () => {
    const home = homeOf(way);
    const { child, said, end } = await hold(way, ["-s", image], "echo $$", home);
    expect(Number(said)).toBe(child.pid);
    await end();
  });

  check("COMMAND has full access to the normal filesystem", async () => {
    const home = homeOf(way);
    const script = 'cat /etc/hostname && echo made > "$HOME/made" && pwd';
    const out = await ask(way, ["-s", image, "sh", "-c", script], home, { cwd: home });
    expect(out).toBe(`${readFileSync("/etc/hostname", "utf8")}${home}\n`);
    expect(readFileSync(path.join(home, "made"), "utf8")).toBe("made\n");
  });

  check("standard input, the umask and the working directory are the caller's", async () => {
    const cwd = temporaryDirectory();
    const options = { cwd, input: "typed" };
    const script = "pwd; umask; cat";
    const out = await ask(way, ["-d", image, "sh", "-c", script], undefined, options);
    expect(out).toBe((await run("sh", ["-c", script], options)).stdout);
  });

  check("no descriptor leaks into the command", async () => {
    const args = ["sh", "-c", "ls /proc/self/fd"];
    const direct = await run("sh", args.slice(1));
    expect(await ask(way, ["-s", image, "-d", `d:${image}`, ...args])).toBe(direct.stdout);
  });

  check("example: a scratch space, a writable copy and a program from an archive", async () => {
    const cached = await ask(way, [
      `--static=sdk:${image}`,
      `--dynamic=src:${image}`,
      "--",
      "sh",
      "-c",
      'echo built > "$FUSELAGE_DYNAMIC/src/out" && cat "$FUSELAGE_STATIC/sdk/file" "$FUSELAGE_DYNAMIC/src/out"',
    ]);
    expect(cached).toBe("packed\nbuilt\n");
    const out = await ask(way, [`--dynamic=app:${image}`, "--run", "bin/say", "--port", "8080"]);
    expect(out).toBe("<--port><8080>");
  });

  check("inside another fuselage each has its own files", async () => {
    const inner = `"${runnerOf(way)}" -d b:${image}`;
    const script = `cat "$FUSELAGE_STATIC/a/file"; export outer="$FUSELAGE_STATIC/a"; ${inner} sh -c 'cat "$outer/file" "$FUSELAGE_DYNAMIC/b/file"'`;
    expect(await ask(way, ["-s", `a:${image}`, "sh", "-c", script])).toBe("packed\n".repeat(3));
  });

  const refusals: [string, string[], RegExp][] = [
    ["an unknown option", ["--nonsense", "true"], /--nonsense: there is no such option/],
    ["an option with two letters swapped", ["--hepl"], /no such option; did you mean --help\?/],
    ["one that lacks a letter", ["--dynmic=a", "true"], /did you mean --dynamic\?/],
    ["one of another word", ["--statistics", "true"], /--statistics: there is no such option\n/],
    ["an option without its value", ["--static"], /--static: expected a value/],
    ["a value that none is expected for", ["--cache-static=1", "true"], /takes no value/],
    ["neither a command nor --run", [], /expected a command, or --run PATH/],
    ["archives without a command", ["--dynamic-empty=x"], /expected a command/],
    ["--run without an archive", ["--run", "x"], /at least one archive/],
    ["an empty --run", ["--dynamic-empty=x", "--run="], /expected a path/],
  ];
  for (const [title, args, reason] of refusals) {
    check(`${title} is refused: 125`, async () => {
      const home = homeOf(way);
      const { status, code, stdout, stderr } = await refused(way, args, home);
      expect({ status, code, stdout }).toEqual({ status: 125, code: "E_USAGE", stdout: "" });
      expect(stderr).toMatch(reason);
      expect(readdirSync(home)).toEqual([]);
    });
  }

  for (const type of ["auto", "loop", "fuse", "fusermount", "extract"]) {
    check(`--mount-type=${type} is a type`, async () => {
      const { stderr } = await start(way, [`--mount-type=${type}`, "true"]);
      expect(stderr).not.toContain("E_MOUNT_OPTION");
    });
  }

  check("--mount-type of another value is refused, and names the types", async () => {
    const { status, stderr } = await refused(way, ["--mount-type=nfs", "true"]);
    expect(status).toBe(125);
    expect(stderr).toMatch(/--mount-type=nfs: expected auto, loop, fuse, .*extract/);
  });
});

test.each([["--help"], ["-h"]])(
  "%s goes to standard output and names every option",
  async (option) => {
    const out = printed(await run(runnerOf(asRoot), [option]));
    const names = ["--static", "--dynamic", "--dynamic-empty", "--cache-static", "--run"];
    for (const name of [...names, "--map-root-user", "--mount-type", "--help", "--version"]) {
      expect(out).toContain(name);
    }
  },
);

test("--version is the package's", async () => {
  const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  expect(printed(await run(runnerOf(asRoot), ["--version"]))).toBe(`fuselage ${version}\n`);
});

test("a closed standard output is a failure, not a silent success", async () => {
  const { status } = await run("sh", ["-c", '"$0" --help >/dev/full', runnerOf(asRoot)]);
  expect(status).toBe(125);
});
