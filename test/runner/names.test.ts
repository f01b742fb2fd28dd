/** Specification, "[NAME:]FILE" and "Archive name uniqueness". */
import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { ask, checkOf, fixedPath, homeOf, imageOf, refused, ways } from "../support/runner.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let image: string;
beforeAll(async () => {
  image = await imageOf();
});

/** The image under another name. @returns its folder */
function copyAs(...names: string[]): string {
  const dir = temporaryDirectory();
  for (const name of names) {
    mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    copyFileSync(image, path.join(dir, name));
  }
  return dir;
}

describe.each(ways)("$title", (way) => {
  const check = checkOf(way);
  const list = (args: string[], cwd?: string, variable = "FUSELAGE_STATIC") =>
    ask(way, [...args, "sh", "-c", `ls -A "$${variable}"`], undefined, cwd ? { cwd } : {});

  const derived: [string, string][] = [
    ["my-data.sfs", "my-data"],
    ["my-data.squashfs", "my-data"],
    ["my-data.zip", "my-data"],
    ["my-data.b64", "my-data"],
    ["my-data", "my-data"],
    ["my-data.img", "my-data.img"],
    ["my.data.v1.2.sfs", "my.data.v1.2"],
    ["x.sfs.sfs", "x.sfs"],
    ["two words.sfs", "two words"],
    [".sfs", ".sfs"],
    ["-dash.sfs", "-dash"],
    ["données.sfs", "données"],
  ];
  for (const [file, name] of derived) {
    check(`NAME is derived from the file's name: ${file} is ${name}`, async () => {
      const dir = copyAs(file);
      expect(await list([`--static=${dir}/${file}`])).toBe(`${name}\n`);
      expect(await list([`--dynamic=${file}`], dir, "FUSELAGE_DYNAMIC")).toBe(`${name}\n`);
    });
  }

  check("the whole argument is tried as a file first: names may contain colons", async () => {
    const dir = copyAs("a:b.sfs", "b.sfs", "12:30:00/c.sfs");
    expect(await list(["-s", "a:b.sfs"], dir)).toBe("a:b\n");
    expect(await list(["-s", `${dir}/a:b.sfs`])).toBe("a:b\n");
    expect(await list(["-s", "12:30:00/c.sfs"], dir)).toBe("c\n");
  });

  check("else NAME:FILE, where FILE may contain colons", async () => {
    const dir = copyAs("a:b.sfs", "b.sfs");
    expect(await list(["-s", "x:b.sfs"], dir)).toBe("x\n");
    expect(await list(["-s", "x:a:b.sfs"], dir)).toBe("x\n");
    expect(await list(["-s", `x:${dir}/a:b.sfs`])).toBe("x\n");
  });

  check("a relative FILE, a path with .. and a symlink to a FILE", async () => {
    const dir = copyAs("d/b.sfs");
    symlinkSync("d/b.sfs", path.join(dir, "linked.sfs"));
    expect(await list(["-s", "d/../d/b.sfs"], dir)).toBe("b\n");
    expect(await list(["-s", "linked.sfs"], dir)).toBe("linked\n");
  });

  check("a directory in NAME:FILE's place is not a file", async () => {
    const dir = copyAs("b.sfs");
    mkdirSync(path.join(dir, "x:b.sfs"));
    expect(await list(["-s", "x:b.sfs"], dir)).toBe("x\n");
  });

  check("a name of 255 bytes fits, one of 256 is refused", async () => {
    const name = "n".repeat(255);
    expect(await list(["-s", `${name}:${image}`])).toBe(`${name}\n`);
    const { status, code } = await refused(way, ["-s", `${name}n:${image}`, "true"]);
    expect({ status, code }).toEqual({ status: 125, code: "E_ARCHIVE_NAME" });
  });

  const wrong = ["", ".", "..", "a/b", "/", "/tmp/x", "/run/fuselage", "/run/fuselage/"];
  const wrongFixed = ["a/b", ".", "..", "a/", "/a", "../a"].map((name) => `/run/fuselage/${name}`);
  for (const name of [...wrong, ...wrongFixed, "/run/fuselage2/a", "/run/../run/fuselage/a"]) {
    check(`NAME "${name}" is refused with a hint`, async () => {
      for (const option of [`--static=${name}:${image}`, `--dynamic=${name}:${image}`]) {
        const home = homeOf(way);
        const { status, code, stderr } = await refused(way, [option, "true"], home);
        expect({ status, code }).toEqual({ status: 125, code: "E_ARCHIVE_NAME" });
        expect(stderr).toMatch(/expected one path component or \/run\/fuselage\/NAME\n {2}\S/);
      }
      const { status, code } = await refused(way, [`--dynamic-empty=${name}`, "true"]);
      expect({ status, code }).toEqual({ status: 125, code: "E_ARCHIVE_NAME" });
    });
  }

  const uses = ["--static", "--dynamic"];
  for (const first of uses) {
    for (const second of [...uses, "--dynamic-empty"]) {
      check(`relative names are unique across ${first} and ${second}`, async () => {
        const dir = copyAs("foo.sfs", "d/foo.sfs");
        const again = second === "--dynamic-empty" ? "foo" : `${dir}/d/foo.sfs`;
        const args = [`${first}=${dir}/foo.sfs`, `${second}=${again}`, "true"];
        const { status, code, stderr } = await refused(way, args);
        expect({ status, code }).toEqual({ status: 125, code: "E_ARCHIVE_NAME" });
        expect(stderr).toMatch(/"foo" is taken by/);
        expect(stderr).toContain("NAME:");
      });
    }
  }

  check("the NAME: prefix disambiguates", async () => {
    const args = [`--static=cached:${image}`, `--dynamic=fresh:${image}`];
    const script = 'ls "$FUSELAGE_DYNAMIC" "$FUSELAGE_STATIC"';
    const out = await ask(way, [...args, "sh", "-c", script]);
    expect(out).toMatch(/dynamic:\nfresh\n\n.*static:\ncached\n$/);
  });

  check("fixed paths must also be unique within an invocation", async () => {
    const dir = fixedPath();
    const args = [`--static=${dir}:${image}`, `--dynamic-empty=${dir}`, "true"];
    const { status, code } = await refused(way, args);
    expect({ status, code }).toEqual({ status: 125, code: "E_ARCHIVE_NAME" });
  });

  check("a fixed path and a relative name do not collide", async () => {
    const dir = fixedPath();
    const args = ["-s", `${dir}:${image}`, "-s", `${path.basename(dir)}:${image}`];
    expect(await list(args)).toBe(`${path.basename(dir)}\n`);
  });
});
