import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["build", "app", "-o", "out", "--kind", "elf"],
  code: "E_ELF_UNSUPPORTED",
  stderr: /app: the entrypoint "bin\/app" is no compiled program[\s\S]*--kind plain/,
} satisfies Case;
