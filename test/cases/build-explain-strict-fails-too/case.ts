import type { Case } from "../../support/case.ts";

export default {
  files: { "app/bin/app": "#!/no/such/shell\n" },
  args: ["build", "app", "--explain", "--strict"],
  code: "E_WARNINGS",
  stderr: /a warning, and --strict takes no build with one: bin\/app: .* \[W_SHEBANG\]\n/,
} satisfies Case;
