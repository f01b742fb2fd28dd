import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { makeDynamicElf } from "../../support/dynamic-elf.ts";

const addon = (needed: string[]) => makeDynamicElf({ needed: [...needed, "libc.so.6"] });

export default {
  files: {
    "app/package.json": '{ "name": "app", "version": "1.0.0", "main": "main.js" }',
    "app/main.js": 'require("./a.node"); require("./b.node"); require("./c.node");\n',
    "app/a.node": addon(["libnowhere.so.4"]),
    "app/b.node": addon(["libjack.so.0", "libgbm.so.1"]),
    "app/c.node": addon(["liba.so.1"]),
    "root/usr/lib/liba.so.1": makeDynamicElf(),
  },
  args: [
    ...["build", "app", "-o", "out", "--json", "--arch", "x86_64"],
    ...["--node", "none", "--sysroot", "root"],
  ],
  check(_, { stdout }) {
    const { warnings } = JSON.parse(stdout) as { warnings: { code: string; message: string }[] };
    expect(warnings.map(({ code, message }) => [code, message.split(":")[0]])).toEqual([
      ["W_LIBRARY_TARGET", "the target must have liba.so.1; --with-libs packs them"],
      [
        "W_LIBRARY_MISSING",
        "app/a.node needs libnowhere.so.4, which is not on this machine either",
      ],
      ["W_LIBRARY_HOST", "the target must have libgbm.so.1 (for app/b.node)"],
      ["W_LIBRARY_HOST", "the target must have libjack.so.0 (for app/b.node)"],
    ]);
  },
} satisfies Case;
