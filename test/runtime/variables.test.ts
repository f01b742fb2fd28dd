/** Variables of a bundle and of the runner that build on what the caller has. */
import { chmodSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { resolveBuildOptions } from "../../builder/config/build-options.ts";
import { bundleOf, mksquashfs, printed } from "../support/bundle-of.ts";

import { missing, skipUnless } from "../support/needs.ts";
import { pack, start, ways } from "../support/packed.ts";
import { bundle, fuselage, run } from "../support/process.ts";
import { buildSanitized } from "../support/sanitized.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const root = "${FUSELAGE_BUNDLE_DIR}";

/** Prints variables: `<value>`, or `none` for one that is not there, and the app's folder. */
const show = `#!/bin/sh
for name in LIST PLAIN OPTS HOSTS TOOL; do
  eval "printf '%s\\n' \\"$name=\\\${$name-none}\\""
done
echo "$FUSELAGE_BUNDLE_DIR"
`;

const recorded = {
  env: ["PLAIN=$HOME ${OTHER} $"],
  envDefault: ["TOOL=vi $LIST"],
  envPrepend: [`LIST=${root}/bin`, "LIST=/first"],
  envAppend: ["LIST=/last", "OPTS =--flag", "HOSTS,=localhost"],
};

/** Callers, and what their variables become; DIR is the app's folder. */
const callers: [string, Record<string, string>, Record<string, string>][] = [
  [
    "has none of them",
    {},
    { LIST: "/first:DIR/bin:/last", OPTS: "--flag", HOSTS: "localhost", TOOL: "vi $LIST" },
  ],
  [
    "has all of them",
    { LIST: "/usr/bin:/bin", OPTS: "-a", HOSTS: "a,b", TOOL: "ed" },
    {
      LIST: "/first:DIR/bin:/usr/bin:/bin:/last",
      OPTS: "-a --flag",
      HOSTS: "a,b,localhost",
      TOOL: "ed",
    },
  ],
  // An empty element of PATH or LD_LIBRARY_PATH is the working folder: nobody asked for that.
  [
    "has them empty",
    { LIST: "", OPTS: "", HOSTS: "", TOOL: "" },
    { LIST: "/first:DIR/bin:/last", OPTS: "--flag", HOSTS: "localhost", TOOL: "" },
  ],
  [
    "has what looks like something to expand in them",
    { LIST: `${root}:$LIST:\${FUSELAGE_STATIC}`, OPTS: "%s\\n", HOSTS: "*", TOOL: "=" },
    {
      LIST: `/first:DIR/bin:${root}:$LIST:\${FUSELAGE_STATIC}:/last`,
      OPTS: "%s\\n --flag",
      HOSTS: "*,localhost",
      TOOL: "=",
    },
  ],
];

const lines = (values: Record<string, string>, dir: string) => {
  const all: Record<string, string> = { PLAIN: "$HOME ${OTHER} $", ...values };
  const names = ["LIST", "PLAIN", "OPTS", "HOSTS", "TOOL"];
  return [...names.map((name) => `${name}=${all[name]?.replace("DIR", dir)}`), dir];
};

for (const way of ways) {
  skipUnless(...way.needs)(`${way.title}: values are built on those of the caller`, async () => {
    const file = await pack({ run: show }, recorded);
    const home = way.root ? temporaryDirectory() : userDirectory();
    for (const [title, env, values] of callers) {
      const out = printed(await start(way, file, [], home, { env }))
        .trim()
        .split("\n");
      expect([title, ...out]).toEqual([title, ...lines(values, out.at(-1) ?? "")]);
    }
  });
}

skipUnless("unsquashfs")("the AppRun for other tools does the same", async () => {
  const file = await pack({ run: show }, { ...recorded, format: "appimage" });
  const dir = path.join(temporaryDirectory(), "it's");
  const { status } = await run("unsquashfs", [
    ...["-q", "-n", "-d", dir, "-o"],
    printed(await run(file, ["--bundle-offset"])).trim(),
    file,
  ]);
  expect(status).toBe(0);
  for (const [, env, values] of callers) {
    for (const shell of [[], ...["sh", "bash", "busybox"].map((name) => [name])]) {
      const [name = path.join(dir, "AppRun"), ...more] = [
        ...(shell[0] === "busybox" ? ["busybox", "sh"] : shell),
        path.join(dir, "AppRun"),
      ];
      if (shell.length > 0 && (await run("sh", ["-c", `command -v ${shell[0]}`])).status !== 0)
        continue;
      const out = printed(await run(name, more, { env }))
        .trim()
        .split("\n");
      expect(out).toEqual(lines(values, dir));
    }
  }
});

skipUnless("unsquashfs")("the AppRun for other tools starts whatever PATH is", async () => {
  const options = { unsetEnv: ["GONE", "ALSO"], format: "appimage" } as const;
  const file = await pack({ run: '#!/bin/sh\necho "started ${GONE-} $1"\n' }, options);
  const dir = path.join(temporaryDirectory(), "app");
  const offset = printed(await run(file, ["--bundle-offset"])).trim();
  expect((await run("unsquashfs", ["-q", "-n", "-d", dir, "-o", offset, file])).status).toBe(0);
  const own = temporaryDirectory();
  for (const name of ["readlink", "env", "sh"]) {
    writeFileSync(path.join(own, name), "#!/bin/sh\necho the wrong one\n", { mode: 0o755 });
  }
  for (const PATH of [undefined, "", "/nonexistent", own, "."]) {
    const options = { cwd: own, env: { PATH, GONE: "here" } };
    expect(await run(path.join(dir, "AppRun"), ["x"], options)).toMatchObject({
      stdout: "started  x\n",
      stderr: "",
    });
  }
});

test("what a bundle unsets or sets is built on in place of the caller's value", async () => {
  const file = await pack(
    { run: show },
    {
      env: ["HOSTS=bundle"],
      unsetEnv: ["LIST", "TOOL"],
      envDefault: ["TOOL=vi", "HOSTS=not this"],
      envPrepend: ["LIST=new", "HOSTS=first"],
    },
  );
  const env = { HOME: temporaryDirectory(), LIST: "old", HOSTS: "old", TOOL: "old" };
  const out = printed(await run(file, [], { env }));
  expect(out).toMatch(/^LIST=new\nPLAIN=none\nOPTS=none\nHOSTS=first:bundle\nTOOL=vi\n/);
});

test("a default is there to be built on: XDG_DATA_DIRS where the desktop sets none", async () => {
  const name = "XDG_DATA_DIRS";
  const defaults = "/usr/local/share:/usr/share";
  const file = await pack(
    { run: `#!/bin/sh\necho "$${name} $FUSELAGE_BUNDLE_DIR"\n` },
    { envDefault: [`${name}=${defaults}`], envPrepend: [`${name}=${root}/share`] },
  );
  for (const value of [undefined, "/opt/share"]) {
    const env = { HOME: temporaryDirectory(), [name]: value };
    const [list, dir] = printed(await run(file, [], { env }))
      .trim()
      .split(" ");
    expect(list).toBe(`${dir}/share:${value ?? defaults}`);
  }
});

test("all of them are shown, and kept when the image is taken over", async () => {
  const file = await pack({ run: show }, recorded);
  const info = printed(await run(file, ["--bundle-info"]));
  expect(info).toContain(
    "\nenv-default: TOOL=vi $LIST\nenv-prepend: LIST=${FUSELAGE_BUNDLE_DIR}/bin\n",
  );
  expect(info).toContain("\nenv-append:  HOSTS,=localhost\n");
  const again = path.join(temporaryDirectory(), "again.run");
  printed(await bundle(["build", file, "-o", again, "--env-append", "LIST=/more"]));
  const { manifest } = JSON.parse(printed(await bundle(["inspect", again, "--json"])));
  expect(manifest).toMatchObject({
    ...recorded,
    envAppend: [...recorded.envAppend, "LIST=/more"],
  });
});

describe("the command line of a build", () => {
  const build = async (args: string[], config?: object) => {
    const dir = temporaryDirectory();
    writeFileSync(path.join(dir, "run.sh"), show, { mode: 0o755 });
    const file = path.join(dir, "config.json");
    if (config) writeFileSync(file, JSON.stringify(config));
    const more = config ? ["--config", file] : [];
    const line = ["build", path.join(dir, "run.sh"), "-o", path.join(dir, "out"), ...more, ...args];
    const outcome = await bundle([...line, "--json"]);
    if (outcome.status !== 0) return { ...outcome, manifest: undefined };
    const { stdout } = await bundle(["inspect", path.join(dir, "out"), "--json"]);
    return { ...outcome, manifest: JSON.parse(stdout).manifest };
  };

  test("and the configuration say the same", async () => {
    const args = ["--env-default", "TOOL=vi", "--env-prepend", "LIST=a", "--env-append", "LIST=b"];
    const config = { envDefault: ["TOOL=vi"], envPrepend: ["LIST=a"], envAppend: ["LIST=b"] };
    const [one, other] = [await build(args), await build([], config)];
    expect(one.manifest).toMatchObject(config);
    expect(other.manifest).toMatchObject(config);
  });

  test.each([
    [
      "PATH=${FUSELAGE_BUNDLE_DIR}/bin:$PATH",
      "$PATH",
      "--env-prepend 'PATH=${FUSELAGE_BUNDLE_DIR}/bin'",
    ],
    ["PATH=${PATH}:/opt/bin", "${PATH}", "--env-append 'PATH=/opt/bin'"],
    [
      "LD_LIBRARY_PATH=/l${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}",
      "${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}",
      "--env-prepend 'LD_LIBRARY_PATH=/l'",
    ],
    ["NODE_OPTIONS=$NODE_OPTIONS --flag", "$NODE_OPTIONS", "--env-append 'NODE_OPTIONS =--flag'"],
    ["LANG=${LANG:-C.UTF-8}", "${LANG:-C.UTF-8}", "--env-default 'LANG=C.UTF-8'"],
  ])("is refused with what to write: --env %s", async (variable, own, hint) => {
    const { status, stdout } = await build(["--env", variable]);
    const { error } = JSON.parse(stdout);
    expect([status, error.code]).toEqual([2, "E_OPTION_VALUE"]);
    expect(error.expected).toContain(own);
    expect(error.hint).toContain(hint);
    expect((await build([hint.split(" ")[0] ?? "", hint.split("'")[1] ?? ""])).status).toBe(0);
  });

  test("keeps every other $", async () => {
    const kept = ["A=$B", "PATH=$PATHS", "B=$", "C=$$C", "PRICE=5$", "a.b=$a.b"];
    const { manifest } = await build(kept.flatMap((variable) => ["--env", variable]));
    expect(manifest.env).toEqual(kept);
  });

  test.each([
    ["envPrepend", "PATH"],
    ["envPrepend", "PATH="],
    ["envAppend", "=x"],
    ["envAppend", "A::=x"],
    ["envAppend", "Aü=x"],
    ["envDefault", "A,=x"],
    ["envDefault", "1A=x"],
  ])("does not take %s %s", (key, value) => {
    const options = { input: "app", output: "out", [key]: [value] };
    expect(() => resolveBuildOptions(options)).toThrow(
      expect.objectContaining({ code: "E_OPTION_VALUE", actual: JSON.stringify(value) }),
    );
  });
});

describe("fuselage", () => {
  const env = () => ({ HOME: temporaryDirectory(), LIST: "/usr/bin", HOSTS: "" });
  const options = [
    ...[
      "--env",
      "PLAIN=${FUSELAGE_DYNAMIC}|$HOME",
      "--env-default=TOOL=vi",
      "--env-default=LIST=x",
    ],
    ...["--env-prepend", "LIST=${FUSELAGE_DYNAMIC}/d/bin", "--env-append=LIST=/last"],
    ...["--env-append", "HOSTS,=a", "--env-append", "HOSTS,=b"],
  ];

  test("sets, prepends, appends and defaults for its command", async () => {
    const line = ["--dynamic-empty=d", ...options, "sh", "-c", 'echo "$LIST $HOSTS $TOOL $PLAIN"'];
    const out = printed(await run(fuselage, line, { env: env() }));
    expect(out).toMatch(/^(\/\S+\/dynamic)\/d\/bin:\/usr\/bin:\/last a,b vi \1\|\$HOME\n$/);
  });

  test("leaves them to the program behind --run", async () => {
    const archive = path.join(temporaryDirectory(), "a.sfs");
    const dir = temporaryDirectory();
    writeFileSync(path.join(dir, "say"), '#!/bin/sh\necho "$* $LIST"\n', { mode: 0o755 });
    printed(await bundle(["pack", dir, "-o", archive]));
    const line = ["--env-append=LIST=/x", `--static=${archive}`, "--run", "say", "--env", "A=1"];
    expect(printed(await run(fuselage, line, { env: env() }))).toBe("--env A=1 /usr/bin:/x\n");
  });

  test("does not take what has no name or no value", async () => {
    for (const value of ["NAME", "=x", ""]) {
      const { status, stderr } = await run(fuselage, [`--env-prepend=${value}`, "true"]);
      expect(stderr).toBe(
        `fuselage: [E_USAGE] "${value}": expected NAME=VALUE\n  \`fuselage --help\` shows the options.\n`,
      );
      expect(status).toBe(125);
    }
  });

  test("has them in a recorded invocation", async () => {
    const [dir, out] = [temporaryDirectory(), path.join(temporaryDirectory(), "out.run")];
    writeFileSync(path.join(dir, "say"), '#!/bin/sh\necho "$LIST $FUSELAGE_BUNDLE_DIR"\n', {
      mode: 0o755,
    });
    const archive = path.join(temporaryDirectory(), "a.sfs");
    printed(await bundle(["pack", dir, "-o", archive]));
    const line = ["--env-prepend", `LIST=${root}/bin`, "--static=a:/proc/self/exe", "--run", "say"];
    printed(await bundle(["assemble", `--archive=${archive}`, `--output=${out}`, "--", ...line]));
    expect(printed(await run(out, [], { env: env() }))).toMatch(/^(\/\S+)\/bin:\/usr\/bin \1\n$/);
    const wrong = ["assemble", `--archive=${archive}`, `--output=${out}`, "--", "--env=A", "true"];
    expect((await bundle(wrong)).stderr).toMatch(/E_USAGE[\s\S]*"--env=A": expected NAME=VALUE/);
  });
});

let runtime = "";
beforeAll(async () => {
  if (missing("gcc") === undefined) ({ runtime } = await buildSanitized());
}, 600_000);

skipUnless("gcc", "mksquashfs")("the sanitized runtime finds no fault with any of it", async () => {
  const dir = temporaryDirectory();
  writeFileSync(path.join(dir, "run"), show);
  chmodSync(path.join(dir, "run"), 0o755);
  const odd = {
    envPrepend: ["=".padStart(2, ","), "X=", "LIST=${FUSELAGE_", "LIST=${FUSELAGE_X}"],
  };
  const long = {
    envAppend: [`LIST=${root.repeat(50)}`, `OPTS =${"${FUSELAGE_A".padEnd(99, "B")}}`],
  };
  const image = await mksquashfs(dir);
  const file = await bundleOf(image, { ...recorded, ...odd, ...long }, runtime);
  const env = { HOME: temporaryDirectory(), FUSELAGE_MOUNT: "extract", LIST: "x", OPTS: "y" };
  const { stdout, stderr } = await run(file, [], { env });
  expect(stderr).toBe("");
  const at = stdout.trim().split("\n").at(-1) ?? "";
  expect(stdout).toContain(`LIST=\${FUSELAGE_X}:\${FUSELAGE_:x:${at.repeat(50)}\n`);
});
