import { assembleArgs, packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  prepare: (dir) => packApp(dir),
  args: assembleArgs("--mount-type=magic", "true"),
  code: "E_MOUNT_OPTION",
  status: 2,
  stderr: /--mount-type=magic.*expected auto/,
} satisfies Case;
