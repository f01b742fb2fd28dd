import { existsSync } from "node:fs";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";
import { forgetFixedPath, startAsEveryone } from "../../support/start.ts";

const name = `fuselage-case-${process.pid}`;
const place = `/run/fuselage/${name}`;

export default {
  needs: ["userns", "fuse"],
  files: { "app/bin/app": '#!/bin/sh\necho "$0 $FUSELAGE_BUNDLE_DIR"\n' },
  args: ["build", "app", "-o", "out", "--mount-at", place],
  async check(cwd) {
    const expected = `${place}/bin/app ${place}\n`;
    expect(await startAsEveryone(`${cwd}/out`, 2)).toEqual(Array(4).fill(expected));
    expect(existsSync(`${place}/bin`)).toBe(false);
    forgetFixedPath(place);
    const shown = await bundle(["inspect", "out"], { cwd });
    expect(shown.stdout).toMatch(`mounted at   ${place}`);
    const { stdout } = await bundle(["inspect", "out", "--json"], { cwd });
    expect(JSON.parse(stdout).manifest).toMatchObject({ mountAt: place, writable: false });
  },
} satisfies Case;
