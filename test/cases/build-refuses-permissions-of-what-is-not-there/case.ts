import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, "app/data/a.txt": "a" },
  args: ["build", "app", "-o", "out", "--chmod", "*.txt=644"],
  status: 2,
  code: "E_OPTION_VALUE",
  stderr:
    /--chmod .* found "\*\.txt", which matches none\n.* "\*\*\/\*\.txt" finds it in every folder/,
} satisfies Case;
