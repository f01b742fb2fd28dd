/** Specification, "--dynamic" and "--dynamic-empty". */
import { existsSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { mksquashfs, printed } from "../support/bundle-of.ts";
import { everyType } from "../support/every-type.ts";
import { nothing } from "../support/leftovers.ts";
import { run } from "../support/process.ts";
import { ask, checkOf, hold, homeOf, imageOf, watch, ways } from "../support/runner.ts";
import { startsOf } from "../support/start.ts";

let image: string;
beforeAll(async () => {
  image = await imageOf();
});

const types = ["auto", "fuse", "extract"] as const;

describe.each(ways)("$title", (way) => {
  const check = checkOf(way);

  for (const type of types) {
    check(
      `--mount-type=${type}: a fresh, mutable directory at $FUSELAGE_DYNAMIC/NAME/`,
      async () => {
        const script = `cd "$FUSELAGE_DYNAMIC/a" && cat file && echo more >> file && cat file &&
        mkdir -p new/deep && echo x > new/deep/f && rm plain && mv bin bin2 && ln -s file l2 &&
        chmod 600 absolute 2>/dev/null; rm absolute; ls; ./bin2/say 1; rm -r bin2 && ls | wc -l`;
        const args = [`--mount-type=${type}`, `--dynamic=a:${image}`, "sh", "-c", script];
        const out = await ask(way, args);
        const lines = "packed\npacked\nmore\nbin2\nclimbing\nfile\nl2\nlink\nnew\noutside\n<1>6\n";
        expect(out).toBe(lines);
      },
    );
  }

  check("a directory of the archive can be emptied, replaced and renamed", async () => {
    const script = `cd "$FUSELAGE_DYNAMIC/a" && rm -r bin && mkdir bin && ls -A bin && echo n > bin/say
      cat bin/say && mv bin moved && ls -A moved`;
    expect(await ask(way, ["-d", `a:${image}`, "sh", "-c", script])).toBe("n\nsay\n");
  });

  check("every file of it is the caller's to change, whoever packed it", async () => {
    const closed = await imageOf({ file: "packed\n", "d/f": "f\n" }, "-force-uid", "4711");
    const script = `cd "$FUSELAGE_DYNAMIC/a" && [ -O file ] && [ -O d ] && [ -O . ] && echo mine >> d/f &&
      chmod 700 d && cat d/f`;
    // Root sees the owners that the image names, and may change everything anyway.
    const relaxed = script.replaceAll(/\[ -O \S+ \] && /g, "");
    const args = ["-d", `a:${closed}`, "sh", "-c", way.root ? relaxed : script];
    expect(await ask(way, args)).toBe("f\nmine\n");
  });

  check("writes are private to this invocation, and discarded when the command exits", async () => {
    const home = homeOf(way);
    const left = watch(way, home, [image]);
    const write = 'echo first > "$FUSELAGE_DYNAMIC/a/file" && cat "$FUSELAGE_DYNAMIC/a/file"';
    const read = ["-d", `a:${image}`, "sh", "-c", 'cat "$FUSELAGE_DYNAMIC/a/file"'];
    const { said, end } = await hold(way, ["-d", `a:${image}`], write, home);
    expect(said).toBe("first\n");
    expect(await ask(way, read, home)).toBe("packed\n");
    await end();
    expect(await ask(way, read, home)).toBe("packed\n");
    expect(await left()).toEqual(nothing);
  });

  check("two dynamic archives of one file do not share writes", async () => {
    const script = `cd "$FUSELAGE_DYNAMIC" && echo x > a/file && cat b/file "$FUSELAGE_STATIC/c/file"`;
    const archives = ["-d", `a:${image}`, "-d", `b:${image}`, "-s", `c:${image}`];
    expect(await ask(way, [...archives, "sh", "-c", script])).toBe("packed\npacked\n");
  });

  check("a file of every type looks as it was packed", async () => {
    const tree = everyType({ xattrs: false });
    const packed = await mksquashfs(tree);
    // Sizes of directories differ from file system to file system.
    const script = `cd "$0" && export LC_ALL=C && {
      find . ! -type d -printf '%p %y %m %s %l %Ts\\n'; find . -mindepth 1 -type d -printf '%p %y %m %Ts\\n'
      find . -type f ! -path ./files/text-again -exec sha256sum {} +
    } | sort`;
    const direct = printed(await run("sh", ["-c", script, tree]));
    const inside = `exec sh -c '${script.replaceAll("'", "'\\''")}' "$FUSELAGE_DYNAMIC/a"`;
    const shown = await ask(way, ["-d", `a:${packed}`, "sh", "-c", inside]);
    expect(shown.split("\n")).toEqual(direct.split("\n"));
  });

  check(
    "--dynamic-empty=NAME is an empty, writable directory under $FUSELAGE_DYNAMIC/",
    async () => {
      const home = homeOf(way);
      const script = 'cd "$FUSELAGE_DYNAMIC/work" && ls -A && echo x > f && mkdir d && ls && pwd';
      const out = await ask(way, ["--dynamic-empty=work", "sh", "-c", script], home);
      const [, , dir = ""] = out.split("\n");
      expect(out).toMatch(/^d\nf\n\/.*\/dynamic\/work\n$/);
      expect(path.relative(startsOf(way), dir)).toMatch(/^\d+\/dynamic\/work$/);
      expect(existsSync(dir)).toBe(false);
    },
  );

  check("a dynamic directory may hold programs and be a working directory", async () => {
    const script = `cd "$FUSELAGE_DYNAMIC/w" && printf '#!/bin/sh\\necho ran "$PWD"\\n' > p && chmod +x p && ./p`;
    expect(await ask(way, ["--dynamic-empty", "w", "sh", "-c", script])).toMatch(/^ran .*\/w\n$/);
  });
});
