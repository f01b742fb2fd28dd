import { type Case, smallApp } from "../../support/case.ts";

/** The app is built first, as `bundle build` would. */
export default {
  files: smallApp,
  args: ["export", "app", "--to", "oci-archive:app.tar"],
  code: "E_EXPORT_LIBC",
  stderr: "/bin/sh: the image would not have it, and /opt/app/bin/app needs it",
} satisfies Case;
