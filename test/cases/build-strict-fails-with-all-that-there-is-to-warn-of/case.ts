import { expect } from "vitest";
import type { Case } from "../../support/case.ts";

export default {
  // Two warnings of two rooms: an interpreter that is nowhere, an icon that is converted.
  files: {
    "app/AppRun": "#!/no/such/shell\n",
    "app/x.desktop":
      "[Desktop Entry]\nType=Application\nName=X\nExec=x\nIcon=x\nCategories=Utility;\n",
    "app/x.svg":
      '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>',
    "app/.DirIcon":
      '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>',
  },
  args: ["build", "app", "-o", "out.AppImage", "--strict", "--json"],
  code: "E_WARNINGS",
  stderr: /\[E_WARNINGS\] 2 warnings, and --strict takes no build with one: AppRun: /,
  check(_, { stdout }) {
    const { message } = JSON.parse(stdout).error;
    expect(message).toMatch(/\/no\/such\/shell.* \[W_SHEBANG\]; \.DirIcon .* \[W_ICON\]$/);
  },
} satisfies Case;
