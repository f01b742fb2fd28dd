// Outputs on a file system that is read-only: an error that says so, of each command that writes.
import { expect, vi } from "vitest";
import { helloBundle } from "../support/hello-bundle.ts";
import { skipUnless } from "../support/needs.ts";
import { bundleCommand, run } from "../support/process.ts";

vi.setConfig({ testTimeout: 60_000 });

const lines: [string, string][] = [
  ["E_OUTPUT_PERMISSION", "build BUNDLE -o /mnt/x"],
  ["E_OUTPUT_PERMISSION", "pack /usr/share/doc/libc6 -o /mnt/x.sfs"],
  ["E_OUTPUT_PERMISSION", "pack /usr/share/doc/libc6 -o /mnt/x.zip"],
  ["E_EXTRACT_FAILED", "extract BUNDLE -d /mnt/x"],
  ["E_OUTPUT_PERMISSION", "export BUNDLE --compose /mnt/x --image app"],
  ["E_OUTPUT_PERMISSION", "export BUNDLE --systemd /mnt --program /opt/app.run"],
  ["E_OUTPUT_PERMISSION", "export BUNDLE --artifact --to oci-archive:/mnt/x"],
];

skipUnless("root")("what cannot be written is said, and is no failure of ours", async () => {
  const { file } = await helloBundle();
  for (const [code, line] of lines) {
    const args = line.replace("BUNDLE", file);
    const script = `mount -t tmpfs none /mnt && mount -o remount,ro /mnt && exec "$0" ${bundleCommand} ${args}`;
    const { stderr, status } = await run("unshare", [
      ...["--mount", "sh", "-c", script, process.execPath],
    ]);
    expect(stderr, line).toContain(`bundle: [${code}]`);
    expect(stderr, line).toContain("read-only");
    expect(stderr, line).not.toContain(".tmp");
    expect(status, line).toBe(1);
  }
});
