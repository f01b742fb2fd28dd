import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, "conf.ts": "export default {\n  name: = 1,\n};\n" },
  args: ["build", "app", "-o", "out", "--config", "conf.ts"],
  code: "E_CONFIG_INVALID",
  status: 2,
  stderr: /conf\.ts: it cannot be compiled: conf\.ts:2:9: Unexpected "="/,
} satisfies Case;
