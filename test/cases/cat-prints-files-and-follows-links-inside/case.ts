import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

/** A link that would lead out of a folder leads to the root of the image. */
export default {
  files: {
    ...smallApp,
    "app/etc/one": "first\n",
    "app/etc/two": "second\n",
    "app/a/b/absolute": { link: "/etc/one" },
    "app/a/b/upwards": { link: "../../../../../etc/two" },
  },
  async prepare(cwd) {
    await bundle(["build", "app", "-o", "out"], { cwd });
  },
  args: ["cat", "out", "a/b/absolute", "/a/b/upwards", "etc/one"],
  stdout: /^first\nsecond\nfirst\n$/,
} satisfies Case;
