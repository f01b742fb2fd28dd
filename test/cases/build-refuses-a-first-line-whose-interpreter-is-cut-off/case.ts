import type { Case } from "../../support/case.ts";

export default {
  // As pip writes it into the programs of a venv in a deep folder.
  files: { "app/run": `#!/${"deep/".repeat(60)}venv/bin/python3\nprint(1)\n` },
  args: ["build", "app", "-o", "out"],
  code: "E_SHEBANG",
  stderr: /the first line of "run" is too long for the kernel: expected .* within 255 bytes/,
} satisfies Case;
