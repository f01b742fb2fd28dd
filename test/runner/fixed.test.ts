/** Specification, fixed paths: /run/fuselage/NAME in all modes. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { nothing } from "../support/leftovers.ts";
import {
  ask,
  asRoot,
  checkOf,
  fixedPath,
  hold,
  homeOf,
  imageOf,
  runnerOf,
  start,
  watch,
  ways,
} from "../support/runner.ts";

let image: string;
let other: string;
beforeAll(async () => {
  image = await imageOf();
  other = await imageOf({ file: "other\n" });
});

describe.each(ways)("$title", (way) => {
  const check = checkOf(way);

  check("--static=/run/fuselage/NAME:FILE appears there, read-only", async () => {
    const dir = fixedPath();
    const script = `cat ${dir}/file; LC_ALL=C touch ${dir}/new`;
    const { stdout, stderr } = await start(way, [`--static=${dir}:${image}`, "sh", "-c", script]);
    expect(stdout).toBe("packed\n");
    expect(stderr).toContain("Read-only file system");
  });

  check("--dynamic=/run/fuselage/NAME:FILE appears there, writable", async () => {
    const dir = fixedPath();
    const script = `cat ${dir}/file && echo mine > ${dir}/file && cat ${dir}/file && rm -r ${dir}/bin`;
    expect(await ask(way, [`--dynamic=${dir}:${image}`, "sh", "-c", script])).toBe(
      "packed\nmine\n",
    );
  });

  check("--dynamic-empty=/run/fuselage/NAME is empty and writable", async () => {
    const dir = fixedPath();
    const script = `ls -A ${dir} && [ -O ${dir} ] && echo x > ${dir}/f && mkdir ${dir}/d && ls ${dir}`;
    expect(await ask(way, [`--dynamic-empty=${dir}`, "sh", "-c", script])).toBe("d\nf\n");
  });

  for (const type of ["fuse", "extract"]) {
    check(`--mount-type=${type} at fixed paths`, async () => {
      const [one, two] = [fixedPath(), fixedPath()];
      const args = [`--mount-type=${type}`, "-s", `${one}:${image}`, "-d", `${two}:${image}`];
      const script = `cat ${one}/file ${two}/file && echo x > ${two}/file`;
      expect(await ask(way, [...args, "sh", "-c", script])).toBe("packed\npacked\n");
    });
  }

  check("several fixed paths, beside relative names", async () => {
    const dirs = [fixedPath(), fixedPath(), fixedPath()];
    const args = dirs.flatMap((dir) => ["-s", `${dir}:${image}`]);
    const script = `cat ${dirs.map((dir) => `${dir}/file`).join(" ")} "$FUSELAGE_STATIC/a/file"`;
    const out = await ask(way, [...args, "-s", `a:${other}`, "sh", "-c", script]);
    expect(out).toBe("packed\npacked\npacked\nother\n");
  });

  check("concurrent invocations with the same fixed path do not see each other", async () => {
    const dir = fixedPath();
    const home = homeOf(way);
    const mine = ["-d", `${dir}:${image}`];
    const { said, end } = await hold(way, mine, `echo held > ${dir}/file; cat ${dir}/file`, home);
    try {
      expect(said).toBe("held\n");
      const read = ["sh", "-c", `cat ${dir}/file; echo x > ${dir}/file`];
      expect(await ask(way, [...mine, ...read], home)).toBe("packed\n");
      expect(await ask(way, ["-d", `${dir}:${other}`, ...read], homeOf(way))).toBe("other\n");
      const many = await Promise.all(
        Array.from({ length: 20 }, () => ask(way, [...mine, ...read], home)),
      );
      expect(new Set(many)).toEqual(new Set(["packed\n"]));
    } finally {
      await end();
    }
  });

  check("on the host it is never more than an empty directory", async () => {
    const dir = fixedPath();
    const home = homeOf(way);
    const left = watch(way, home, [image]);
    const { said, end } = await hold(way, ["-d", `${dir}:${image}`], `cat ${dir}/file`, home);
    try {
      expect(said).toBe("packed\n");
      if (existsSync(dir)) expect(readdirSync(dir)).toEqual([]);
      expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(dir);
    } finally {
      await end();
    }
    expect(await left()).toEqual(nothing);
    if (existsSync(dir)) expect(readdirSync(dir)).toEqual([]);
  });

  check("everything else in /run stays where it is", async () => {
    const dir = fixedPath();
    const listing = "cd /run && ls -A | grep -v '^fuselage$'; [ -d /run/lock ] && echo lock";
    const inside = await ask(way, [`--dynamic-empty=${dir}`, "sh", "-c", listing]);
    const outside = await ask(way, ["sh", "-c", listing]);
    expect(inside).toBe(outside);
  });

  check("a fixed path inside a start that has the same and another", async () => {
    const [outer, inner] = [fixedPath(), fixedPath()];
    const home = homeOf(way);
    const nested = (dir: string) =>
      `"$FUSELAGE" -s ${dir}:${other} sh -c 'cat ${outer}/file ${inner}/file 2>/dev/null'`;
    const args = ["-s", `${outer}:${image}`, "sh", "-c"];
    const env = { FUSELAGE: runnerOf(way) };
    expect(await ask(way, [...args, `${nested(outer)}; true`], home, { env })).toBe("other\n");
    expect(await ask(way, [...args, nested(inner)], home, { env })).toBe("packed\nother\n");
  });
});

checkOf(
  asRoot,
  "mksquashfs",
  "userns",
)("example: a venv at a fixed path, captured as squashfs, runs at the same path", async () => {
  for (const way of ways) {
    const dir = fixedPath();
    const home = homeOf(way);
    const build = `/usr/bin/python3 -m venv --without-pip ${dir}/.venv &&
        mkdir -p ${dir}/lib && echo 'import sys; print("ran", sys.prefix)' > ${dir}/lib/myapp.py &&
        mksquashfs ${dir} "$HOME/myapp.sfs" -quiet -no-progress`;
    await ask(way, [`--dynamic-empty=${dir}`, "--", "bash", "-c", build], home);
    const static_ = `--static=${dir}:${path.join(home, "myapp.sfs")}`;
    const python = `${dir}/.venv/bin/python`;
    const env = { PYTHONPATH: `${dir}/lib` };
    const options = { env };
    const expected = `ran ${dir}/.venv\n`;
    expect(await ask(way, [static_, "--", python, "-m", "myapp"], home, options)).toBe(expected);
    const direct = [static_, "--run", python, "--", "-m", "myapp"];
    expect(await ask(way, direct, home, options)).toBe(expected);
  }
});
