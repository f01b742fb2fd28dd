import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["pack", "app", "-o", "out.zip", "--block-size", "64K"],
  code: "E_OPTION_CONFLICT",
  status: 2,
  stderr: /--block-size says nothing about a zip file/,
} satisfies Case;
