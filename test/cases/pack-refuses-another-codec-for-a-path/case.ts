import type { Case } from "../../support/case.ts";

export default {
  files: { "app/x": "x" },
  args: ["pack", "app", "-o", "out.sfs", "--compress", "x=gzip:9"],
  status: 2,
  code: "E_OPTION_VALUE",
  stderr: /--compress .* expected a level of zstd, the one codec of the image, found "x=gzip:9"/,
} satisfies Case;
