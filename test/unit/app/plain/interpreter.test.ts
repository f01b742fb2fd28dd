import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import {
  describeLink,
  describeScript,
  type Surroundings,
} from "../../../../builder/app/plain/interpreter.ts";
import { parseShebang } from "../../../../builder/app/plain/shebang.ts";
import { treeFromDirectory } from "../../../../builder/input/add-directory.ts";
import { imagePlaces } from "../../../../builder/manifest/folder-map.ts";
import { shownWarning } from "../../../../builder/warnings.ts";
import { writeFiles } from "../../../support/case.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

/** A venv that was made at `/run/fuselage/tool`, and what its scripts name. */
async function surroundings(more: Partial<Surroundings> = {}): Promise<Surroundings> {
  const folder = temporaryDirectory();
  const tool = path.join(temporaryDirectory(), "python3.99");
  writeFileSync(tool, "", { mode: 0o755 });
  writeFiles(folder, {
    "pyvenv.cfg": `home = ${path.dirname(tool)}\nversion = 3.99.1\n`,
    "bin/python3": { link: tool },
    "bin/gone": { link: "/no/such/python" },
    "bin/own": "#!/bin/sh\n",
  });
  const tree = await treeFromDirectory(folder);
  const here = { folder, places: [], paths: [], declared: [], searchPath: "/bin" };
  return { tree, ...here, ...more };
}

async function warnings(line: string, around: Surroundings): Promise<string[]> {
  const shebang = parseShebang(Buffer.from(`${line}\n`)) ?? expect.fail();
  return describeScript(shebang, "bin/x", around).warnings.map(shownWarning);
}

const mountAt = "/run/fuselage/tool";
const places = imagePlaces(mountAt, []);

describe("what runs a script", () => {
  test.each(["#!/bin/sh", "#!/bin/sh -e", "#!/usr/bin/env sh"])(
    "%s is on every machine",
    async (line) => {
      expect(await warnings(line, await surroundings())).toEqual([]);
    },
  );

  test("the target must have, when not every machine has it", async () => {
    const around = await surroundings();
    const expected = ["bin/x is run by cat, which the target must have [W_INTERPRETER]"];
    expect(await warnings("#!/usr/bin/env cat", around)).toEqual(expected);
    expect(await warnings("#!/bin/cat", around)).toEqual([
      "bin/x is run by /bin/cat, which the target must have [W_INTERPRETER]",
    ]);
    for (const declared of [["cat"], ["/bin/cat"]]) {
      expect(await warnings("#!/bin/cat", { ...around, declared })).toEqual([]);
    }
  });

  test("is the folder's own where the app's PATH leads to it", async () => {
    const around = await surroundings({ paths: ["/x:${FUSELAGE_BUNDLE_DIR}/bin"] });
    expect(await warnings("#!/usr/bin/env own", around)).toEqual([]);
    expect(await warnings("#!/usr/bin/env -S own -x", around)).toEqual([]);
    expect(await warnings("#!/usr/bin/env other", around)).toEqual([
      expect.stringMatching(/other, which is not in PATH .*\[W_SHEBANG\]/),
    ]);
  });

  test("is looked for in the folder, where that will be at its fixed path", async () => {
    const around = await surroundings({ places });
    expect(await warnings(`#!${mountAt}/bin/own`, around)).toEqual([]);
    expect(await warnings(`#!${mountAt}/bin/python3`, around)).toEqual([
      expect.stringMatching(
        /^bin\/x is run by bin\/python3, a link to .*python3\.99, a Python 3\.99, which the target must/,
      ),
    ]);
    expect(await warnings(`#!${mountAt}/bin/python4`, around)).toEqual([
      `bin/x: its first line names ${mountAt}/bin/python4, and the folder has no bin/python4 [W_SHEBANG]`,
    ]);
    expect(await warnings(`#!${mountAt}/bin/gone`, around)).toEqual([
      "bin/x: bin/gone leads to /no/such/python, which is not here [W_SHEBANG]",
    ]);
  });

  test("is nowhere else, when it is named by the folder's place on this machine", async () => {
    const around = await surroundings();
    const line = `#!${around.folder}/bin/python3`;
    expect(await warnings(line, around)).toEqual([
      expect.stringContaining(`alone; --map .=!${around.folder} makes it appear there, or make it`),
    ]);
    const mapped = imagePlaces(undefined, [`.=!${around.folder}`]);
    expect(await warnings(`#!${around.folder}/bin/own`, { ...around, places: mapped })).toEqual([]);
  });

  test("is looked for in the folders that a map has there, if a start never goes without", async () => {
    const maps = ["bin=/opt/tool/programs", "bin=!/opt/x", "bin=?/opt/y"];
    const around = await surroundings({ places: imagePlaces(undefined, maps) });
    for (const dir of ["/opt/tool/programs", "/opt/x", "/opt/./x/"]) {
      expect(await warnings(`#!${dir}/own`, around)).toEqual([]);
    }
    expect(await warnings("#!/opt/x/python4", around)).toEqual([
      expect.stringContaining("and the folder has no bin/python4"),
    ]);
    for (const dir of ["/opt/y", "/opt/tool", "/opt/x-y"]) {
      expect(await warnings(`#!${dir}/own`, around)).toEqual([
        expect.stringContaining(`${dir}/own`),
      ]);
    }
  });

  test("may be started itself", async () => {
    const around = await surroundings({ declared: ["python3.98"] });
    const { warnings: told } = describeLink("bin/python3", "/bin/cat", "bin/python3", around);
    expect(told.map(shownWarning)).toEqual([
      "bin/python3 is a link to /bin/cat, a Python 3.99, which the target must have [W_INTERPRETER]",
    ]);
  });
});
