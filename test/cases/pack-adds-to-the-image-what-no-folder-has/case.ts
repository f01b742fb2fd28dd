import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  asUser: true,
  files: smallApp,
  args: [
    ...["pack", "app", "-o", "out.sfs", "--owner", "12:34", "--chmod", "bin/*=u+s,o-rx"],
    ...["--dir", "tmp=1777", "--file", "/etc/motd=hello world", "--symlink", "etc/mtab=../proc/x"],
    ...["--mknod", "dev/null=c:1:3", "--mknod", "dev/sda=b:8:0", "--mknod", "run/pipe=p"],
  ],
  async check(cwd) {
    const { stdout } = await bundle(["dump", "out.sfs", "--no-times", "--no-digests"], { cwd });
    expect(stdout.trim().split("\n")).toEqual([
      "/ dir 0755 12:34 - -",
      "/bin dir 0755 12:34 - -",
      "/bin/app file 4750 12:34 17 -",
      "/dev dir 0755 12:34 - -",
      "/dev/null char 0644 12:34 - - device=1:3",
      "/dev/sda block 0644 12:34 - - device=8:0",
      "/etc dir 0755 12:34 - -",
      "/etc/motd file 0644 12:34 11 -",
      "/etc/mtab link 0777 12:34 - - target=../proc/x",
      "/run dir 0755 12:34 - -",
      "/run/pipe fifo 0644 12:34 - -",
      "/tmp dir 1777 12:34 - -",
    ]);
  },
} satisfies Case;
