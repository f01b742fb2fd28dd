import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { makeProgram } from "../../support/dynamic-elf.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: {
    "app/bin/app": "#!/bin/sh\n",
    "app/lib/helper.so": makeProgram({ needed: ["libgone.so.1", "libGL.so.1", "libc.so.6"] }),
    "app/link": { link: "nowhere" },
  },
  args: [
    ...["build", "app", "-o", "out", "--arch", "x86_64"],
    ...["--env", "DATA=${FUSELAGE_BUNDLE_DIR}/data"],
  ],
  async check(cwd) {
    const { stderr, stdout, status } = await bundle(["check", "out", "--json"], { cwd });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^bundle: \[E_NOT_CLOSED\] out: it names 4 things/);
    const { error } = JSON.parse(stdout);
    const codes = [...error.message.matchAll(/\[(W_\w+)\]/g)].map(([, code]) => code);
    const paths = ["W_PATH_MISSING", "W_PATH_MISSING"];
    expect(codes).toEqual([...paths, "W_LIBRARY_MISSING", "W_LIBRARY_HOST"]);
    const has = ["--target-has", "libgone.so.1", "--target-has", "libGL.so.1"];
    const less = await bundle(["check", "out", ...has], { cwd });
    expect(less.stderr).toMatch(
      /it names 2 things .*variable DATA names data.*the link link leads/,
    );
  },
} satisfies Case;
