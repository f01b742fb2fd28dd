// Outputs on a file system that is read-only: an error that says so, of each command that writes.
import { expect } from "vitest";
import { helloBundle } from "../support/hello-bundle.ts";
import { noise } from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { bundleCommand, run } from "../support/process.ts";

const lines: [string, string][] = [
  ["E_OUTPUT_PERMISSION", "build BUNDLE -o /mnt/x"],
  ["E_OUTPUT_PERMISSION", "pack /usr/share/doc/libc6 -o /mnt/x.sfs"],
  ["E_OUTPUT_PERMISSION", "pack /usr/share/doc/libc6 -o /mnt/x.zip"],
  ["E_EXTRACT_FAILED", "extract BUNDLE -d /mnt/x"],
  ["E_OUTPUT_PERMISSION", "export BUNDLE --compose /mnt/x --image app"],
  ["E_OUTPUT_PERMISSION", "export BUNDLE --systemd /mnt --program /opt/app.run"],
  ["E_OUTPUT_PERMISSION", "export BUNDLE --artifact --to oci-archive:/mnt/x"],
  ["E_OUTPUT_PERMISSION", "export BUNDLE --artifact --to oci:/mnt/x"],
  ["E_OUTPUT_PERMISSION", "profile BUNDLE -o /mnt/x"],
  ["E_OUTPUT_PERMISSION", "vm snapshot BUNDLE -o /mnt/x"],
  ["E_OUTPUT_PERMISSION", "runtime -o /mnt/x"],
];

skipUnless("root")("what cannot be written is said, and is no failure of ours", async () => {
  const { file } = await helloBundle();
  for (const [code, line] of lines) {
    const args = line.replace("BUNDLE", file);
    const script = `mount -t tmpfs none /mnt && mount -o remount,ro /mnt && exec "$0" ${bundleCommand} ${args}`;
    const { stderr, stdout, status } = await run("unshare", [
      ...["--mount", "sh", "-c", script, process.execPath],
    ]);
    // Before any work: no app has run.
    expect(stdout, line).toBe("");
    expect(stderr, line).toContain(`bundle: [${code}]`);
    expect(stderr, line).toContain("read-only");
    expect(stderr, line).not.toContain(".tmp");
    expect(status, line).toBe(1);
  }
});

const named = [
  "build BUNDLE -o",
  "pack /usr/share/doc/libc6 -o",
  "runtime -o",
  "profile BUNDLE -o",
];

skipUnless("root")("an output is called as it was named", async () => {
  const { file } = await helloBundle("#!/bin/sh\n", noise(1 << 20, "full"));
  for (const command of named) {
    const line = `${command} there/out.sfs`.replace("BUNDLE", file);
    const shell = (before: string) => {
      const mount = "mount -t tmpfs -o size=8k none /mnt && mkdir /mnt/there && cd /mnt";
      const script = `${mount} && ${before}; exec "$0" ${bundleCommand} ${line}`;
      return run("unshare", ["--mount", "sh", "-c", script, process.execPath]);
    };
    const full = await shell("cat /dev/zero > fill 2> /dev/null");
    expect(full.stderr, line).toContain("bundle: [E_OUTPUT_NO_SPACE] there/out.sfs: ");
    const closed = await shell("mount -o remount,ro /mnt");
    expect(closed.stderr, line).toContain(
      "bundle: [E_OUTPUT_PERMISSION] there/out.sfs: writing to the folder there failed",
    );
    expect(full.stderr + closed.stderr).not.toContain("/mnt");
  }
});
