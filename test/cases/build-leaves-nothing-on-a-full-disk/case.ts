import { randomBytes } from "node:crypto";
import { type Case, smallApp } from "../../support/case.ts";
import { run } from "../../support/process.ts";

export default {
  needs: ["root"],
  files: { ...smallApp, "app/large": randomBytes(4 << 20), small: { folder: true } },
  args: ["build", "app", "-o", "small/out"],
  // A file system of 1 MiB in a mount namespace of its own; ls shows what is left in it.
  run: (cwd, command, args) => {
    const script =
      'mount -t tmpfs -o size=1m none small; "$@"; status=$?; ls -A small; exit $status';
    return run("unshare", ["--mount", "sh", "-c", script, "sh", command, ...args], { cwd });
  },
  code: "E_OUTPUT_NO_SPACE",
  stdout: /^$/,
} satisfies Case;
