/** What declares nothing: AppImages of others, which the runner starts by their image, and bundles under `strict`. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { bundleOf, mksquashfs } from "../support/bundle-of.ts";
import { type Files, writeFiles } from "../support/case.ts";
import { fenced, fencedWays, give, startAs } from "../support/fenced.ts";
import { skipUnless } from "../support/needs.ts";
import { homeOf, imageOf } from "../support/runner.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** What an app tries, and prints. */
const tries = (own: string) => `cat ${own}
cat "$HOME/mine" 2>/dev/null || echo no home
ls /var/lib 2>/dev/null >/dev/null || echo no machine
echo changed 2>/dev/null >file && cat file || echo no current folder`;

const files = (run: Files[string]): Files => ({
  AppRun: run,
  "tool.desktop": "[Desktop Entry]\nType=Application\nName=Tool\nExec=tool\nIcon=tool\n",
  "usr/share/data": "packed\n",
});

/** By where the script itself is, as every AppImage finds its files. */
const here = `#!/bin/sh\nAPPDIR="\${APPDIR:-$(dirname "$(readlink -f "$0")")}"\n`;

const shapes: [title: string, files: Files, options: string[]][] = [
  ["a script and gzip", files(`${here}${tries("$APPDIR/usr/share/data")}\n`), ["-comp", "gzip"]],
  ["a script and xz", files(`${here}${tries("$APPDIR/usr/share/data")}\n`), ["-comp", "xz"]],
  [
    "a relative link to a program",
    {
      ...files({ link: "usr/bin/tool" }),
      "usr/bin/tool": { link: "../lib/real" },
      "usr/lib/real": `${here}${tries("$APPDIR/../share/data")}\n`,
    },
    ["-comp", "zstd"],
  ],
];

/** A program of nobody's we know in front, which would tell if it ran. */
async function appImage(contents: Files, options: string[]): Promise<string> {
  const dir = temporaryDirectory();
  const [tree, source, stub] = ["tree", "stub.c", "stub"].map((name) => path.join(dir, name));
  if (!tree || !source || !stub) throw new Error("no paths");
  mkdirSync(tree);
  writeFiles(tree, contents);
  writeFileSync(
    source,
    'int puts(const char *); int main(void) { return puts("stub ran") < 0; }\n',
  );
  execFileSync("gcc", ["-static", "-s", "-o", stub, source]);
  const image = await mksquashfs(tree, "-all-root", ...options);
  const front = readFileSync(stub);
  front.set([0x41, 0x49, 0x02], 8);
  const file = path.join(dir, "Tool.AppImage");
  writeFileSync(file, Buffer.concat([front, readFileSync(image)]));
  chmodSync(file, 0o755);
  return file;
}

describe.each(fencedWays)("what declares nothing, $title,", (way) => {
  const test = skipUnless(...way.needs, "mksquashfs", "gcc");

  /** A home with a file, and a current folder of whoever starts. */
  function places() {
    const [home, cwd] = [homeOf(way), temporaryDirectory()];
    writeFileSync(path.join(home, "mine"), "my own\n", { mode: 0o644 });
    give(way, path.join(home, "mine"), cwd);
    return { home, cwd };
  }

  describe.each(shapes)("an AppImage of others with %s", (_, contents, options) => {
    let file: string;
    beforeAll(async () => {
      file = await appImage(contents, options);
    });

    test("has its image and what rules say", async () => {
      const { home, cwd } = places();
      const start = async (rules: string) => {
        const command = [`--static=${file}`, "--run", "AppRun"];
        const { stdout } = await fenced(way, rules, command, home, { cwd });
        return stdout;
      };
      expect(await start("fs:cwd:rw,exec:host")).toBe("packed\nno home\nno machine\nchanged\n");
      expect(await start("fs:home:ro,exec:host")).toBe(
        "packed\nmy own\nno machine\nno current folder\n",
      );
      const alone = await fenced(way, "", [`--static=${file}`, "--run", "AppRun"], home, { cwd });
      expect(alone.stdout).not.toContain("my own");
      expect(alone.stdout).not.toContain("stub ran");
    });
  });

  test("a bundle under strict has its image and the current folder, and what is not denied of these", async () => {
    const { home, cwd } = places();
    const script = `#!/bin/sh
      read -r line <"$FUSELAGE_BUNDLE_DIR/file" && echo "$line"
      read -r line <"$HOME/mine" || echo no home; read -r line </etc/hostname || echo no machine
      echo changed >file && echo written; /usr/bin/env || echo no program\n`;
    const file = await bundleOf(await imageOf({ run: script, file: "packed\n" }));
    const start = async (word: string) => {
      const { stdout } = await startAs(way, [file], home, { cwd, env: { FUSELAGE_SANDBOX: word } });
      return stdout;
    };
    const said = "packed\nno home\nno machine\nwritten\nno program\n";
    expect(await start("strict")).toBe(said);
    expect(readFileSync(path.join(cwd, "file"), "utf8")).toBe("changed\n");
    unlinkSync(path.join(cwd, "file"));
    // Then the start is in a private home.
    for (const word of ["strict,deny:fs", "strict,deny:fs:cwd", "strict,deny:fs:cwd,net"])
      expect(await start(word)).toBe(said);
    expect(existsSync(path.join(cwd, "file"))).toBe(false);
  });
});
