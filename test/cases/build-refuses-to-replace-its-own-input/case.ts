import { type Case, program } from "../../support/case.ts";

export default {
  files: { app: program, link: { link: "app" } },
  args: ["build", "app", "-o", "link"],
  code: "E_OUTPUT_INSIDE_INPUT",
  stderr: /link: the output would replace the input\n {2}Name another file/,
} satisfies Case;
