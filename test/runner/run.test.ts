/** Specification, "--run PATH", and the exit statuses of commands. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { mksquashfs } from "../support/bundle-of.ts";
import { ask, checkOf, fixedPath, imageOf, refused, start, ways } from "../support/runner.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let image: string;
let other: string;
beforeAll(async () => {
  image = await imageOf();
  other = await imageOf({ "bin/say": "#!/bin/sh\necho other\n", only: "#!/bin/sh\necho only\n" });
});

describe.each(ways)("$title", (way) => {
  const check = checkOf(way);
  const a = () => ["-s", `a:${image}`];
  const both = () => [...a(), "-d", `b:${other}`];

  check("PATH is searched for in all archives, static and dynamic", async () => {
    expect(await ask(way, [...both(), "--run", "bin/self"])).toMatch(/\/static\/a\/bin\/self\n$/);
    expect(await ask(way, [...both(), "--run", "only"])).toBe("only\n");
  });

  check("it executes with any arguments that follow --", async () => {
    expect(await ask(way, [...a(), "--run", "bin/say", "--", "--x", "--", "y"])).toBe(
      "<--x><--><y>",
    );
  });

  check("`--run PATH [ARG...]`: without -- too, as in --run bin/server --port 8080", async () => {
    expect(await ask(way, [...a(), "--run", "bin/say", "x", "--static"])).toBe("<x><--static>");
    expect(await ask(way, [...a(), "--run=bin/say", "--port", "8080"])).toBe("<--port><8080>");
  });

  check(
    "options may follow --run, as in #!/usr/bin/env -S fuselage --run bin/x --static",
    async () => {
      expect(await ask(way, ["--run", "bin/say", "--static", image, "x"])).toBe("<x>");
    },
  );

  check("NAME/PATH names the archive", async () => {
    expect(await ask(way, [...both(), "--run", "b/bin/say"])).toBe("other\n");
    expect(await ask(way, [...both(), "--run", "a/bin/say", "1"])).toBe("<1>");
  });

  check("/run/fuselage/NAME/PATH names an archive at a fixed path", async () => {
    const dir = fixedPath();
    const args = ["-s", `${dir}:${image}`, "-d", `b:${other}`];
    expect(await ask(way, [...args, "--run", `${dir}/bin/self`])).toBe(`${dir}/bin/self\n`);
    expect(await ask(way, [...args, "--run", "bin/self"])).toBe(`${dir}/bin/self\n`);
    const { status, code } = await refused(way, [...args, "--run", `${dir}-not/bin/self`]);
    expect({ status, code }).toEqual({ status: 127, code: "E_RUN_NOT_FOUND" });
  });

  check("PATH that is in no archive: 127", async () => {
    const { status, code, stderr } = await refused(way, [...both(), "--run", "bin/none"]);
    expect({ status, code }).toEqual({ status: 127, code: "E_RUN_NOT_FOUND" });
    expect(stderr).toContain("bin/none");
  });

  check("PATH in more than one archive is ambiguous, and all places are named", async () => {
    const args = [...both(), "-s", `c:${other}`, "-d", `${fixedPath()}:${other}`];
    const { status, code, stderr } = await refused(way, [...args, "--run", "bin/say"]);
    expect({ status, code }).toEqual({ status: 125, code: "E_RUN_AMBIGUOUS" });
    for (const place of ["  a/bin/say", "  b/bin/say", "  c/bin/say"]) {
      expect(stderr).toContain(`${place}\n`);
    }
    expect(stderr).toMatch(/ {2}\/run\/fuselage\/test-[\d-]+\/bin\/say\n/);
  });

  check("--run twice is refused: the program's own needs -- before it", async () => {
    const { status, code } = await refused(way, [...a(), "--run", "bin/say", "--run", "x"]);
    expect({ status, code }).toEqual({ status: 125, code: "E_USAGE" });
    expect(await ask(way, [...a(), "--run", "bin/say", "--", "--run", "x"])).toBe("<--run><x>");
  });

  check("a file that is not executable: 126", async () => {
    const { status, code } = await refused(way, [...a(), "--run", "plain"]);
    expect({ status, code }).toEqual({ status: 126, code: "E_RUN_NOT_EXECUTABLE" });
  });

  check("a directory is not executable: 126", async () => {
    const { status, code } = await refused(way, [...a(), "--run", "bin"]);
    expect({ status, code }).toEqual({ status: 126, code: "E_RUN_NOT_EXECUTABLE" });
  });

  check("symlinks resolve inside the archive's root", async () => {
    expect(await ask(way, [...a(), "--run", "link", "1"])).toBe("<1>");
    expect(await ask(way, [...a(), "--run", "absolute", "1"])).toBe("<1>");
    for (const name of ["outside", "climbing"]) {
      const { status, code } = await refused(way, [...a(), "--run", name]);
      expect({ name, status, code }).toEqual({ name, status: 127, code: "E_RUN_NOT_FOUND" });
    }
  });

  check(
    "a link whose target is in the archive and on the host too runs the archive's",
    async () => {
      const dir = path.join(temporaryDirectory(), "tree");
      mkdirSync(path.join(dir, "bin"), { recursive: true });
      writeFileSync(path.join(dir, "bin/sh"), "#!/bin/cat\nfrom the archive\n");
      chmodSync(path.join(dir, "bin/sh"), 0o755);
      symlinkSync("/bin/sh", path.join(dir, "shell"));
      const packed = await mksquashfs(dir, "-all-root");
      const out = await ask(way, ["-s", `a:${packed}`, "--run", "shell"]);
      expect(out).toContain("from the archive\n");
    },
  );

  for (const climbing of [
    "../a/bin/say",
    "a/../a/bin/say",
    "bin/../bin/say",
    "a/../../etc/hostname",
  ]) {
    check(`--run ${climbing} does not climb`, async () => {
      const { status, code } = await refused(way, [...a(), "--run", climbing]);
      expect({ status, code }).toEqual({ status: 127, code: "E_RUN_NOT_FOUND" });
    });
  }

  check("a program in --dynamic-empty cannot be there yet", async () => {
    const { status, code } = await refused(way, ["--dynamic-empty=e", "--run", "x"]);
    expect({ status, code }).toEqual({ status: 127, code: "E_RUN_NOT_FOUND" });
  });

  check("the exit status is the command's own", async () => {
    for (const status of [0, 1, 125, 126, 127, 255]) {
      expect((await start(way, [...a(), "sh", "-c", `exit ${status}`])).status).toBe(status);
    }
  });

  for (const signal of ["SIGTERM", "SIGKILL", "SIGSEGV"] as const) {
    check(
      `killed by ${signal} is killed by that signal, because it is the same process`,
      async () => {
        const kill = `kill -${signal.slice(3)} $$`;
        const outcome = await start(way, [...a(), "sh", "-c", kill]);
        expect(outcome).toMatchObject({ status: null, signal });
      },
    );
  }

  check("a command that is not found: 127", async () => {
    for (const command of ["no-such-command", "/no/such/command", "/etc/hostname/x"]) {
      const { status, code, stderr } = await refused(way, [...a(), command]);
      expect({ command, status, code }).toEqual({
        command,
        status: 127,
        code: "E_COMMAND_NOT_FOUND",
      });
      expect(stderr).toContain(command);
    }
  });

  check("a command that is not executable: 126", async () => {
    for (const command of ["/etc/hostname", "/etc"]) {
      const { status, code } = await refused(way, [...a(), command]);
      expect({ command, status, code }).toEqual({
        command,
        status: 126,
        code: "E_COMMAND_NOT_EXECUTABLE",
      });
    }
  });

  check(
    "a script without an interpreter: 127 when it is missing, 126 when there is no #!",
    async () => {
      const dir = temporaryDirectory();
      writeFileSync(path.join(dir, "missing"), "#!/no/such/interpreter\n");
      writeFileSync(path.join(dir, "garbage"), "\x01\x02 no program\n");
      for (const name of ["missing", "garbage"]) chmodSync(path.join(dir, name), 0o755);
      const of = async (name: string) => {
        const { status, stdout } = await refused(way, [path.join(dir, name)]);
        return { status, stdout };
      };
      expect(await of("missing")).toEqual({ status: 127, stdout: "" });
      expect(await of("garbage")).toEqual({ status: 126, stdout: "" });
    },
  );
});
