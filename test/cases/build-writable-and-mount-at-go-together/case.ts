import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { forgetFixedPath, startAsEveryone } from "../../support/start.ts";

const place = `/run/fuselage/fuselage-both-${process.pid}`;

export default {
  needs: ["userns", "fuse"],
  files: { "app/bin/app": '#!/bin/sh\ncd "$FUSELAGE_BUNDLE_DIR" && >new && echo "$PWD" *\n' },
  args: ["build", "app", "-o", "out", "--writable", "--mount-at", place],
  async check(cwd) {
    const printed = await startAsEveryone(`${cwd}/out`, 2);
    forgetFixedPath(place);
    expect(printed).toEqual(Array(4).fill(`${place} bin new\n`));
  },
} satisfies Case;
