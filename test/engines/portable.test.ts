/** Portable services: attached to a systemd that runs, started, asked, and detached. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { build } from "../../builder/api/build.ts";
import { exportPortable } from "../../builder/api/export-portable.ts";
import { readImage } from "../../builder/api/read-image.ts";
import { portableEntries } from "../../builder/export/portable-root.ts";
import type { Manifest } from "../../builder/manifest/manifest.ts";
import { writeFiles } from "../support/case.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { bundleCommand, run } from "../support/process.ts";
import { rootBundle } from "../support/root-image.ts";
import { type MachineFiles, machineNeeds, onSystemd } from "../support/systemd-machine.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** Tells who asks at the socket that it was handed what it is, or says it and stays. */
const PROGRAM = `
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static const char *tried(int descriptor) { return descriptor < 0 ? "no" : "yes"; }
int main(int count, char **words) {
  char text[4096], folder[512], *at = text;
  at += sprintf(at, "uid=%d folder=%s", getuid(), getcwd(folder, sizeof folder));
  for (int i = 1; i < count; i++) at += sprintf(at, " [%s]", words[i]);
  at += sprintf(at, " V=%s DIR=%s", getenv("V"), getenv("FUSELAGE_BUNDLE_DIR"));
  at += sprintf(at, " kept=%s", tried(open("kept", O_CREAT | O_WRONLY, 0600)));
  at += sprintf(at, " own=%s", tried(open("/opt/app/new", O_CREAT | O_WRONLY, 0600)));
  at += sprintf(at, " machine=%s\\n", tried(open("/etc/fstab", O_RDONLY)));
  const char *listening = getenv("LISTEN_FDS");
  if (!listening) { fputs(text, stdout); fflush(stdout); pause(); return 0; }
  for (;;) {
    int caller = accept(3, 0, 0);
    write(caller, text, strlen(text));
    close(caller);
  }
}
`;

/** What entry scripts of nginx, redis and postgres do: they give what is kept to a user and become that user. */
const ENTRY_SCRIPT = `
echo "$(id -u):$(id -g)"
touch /data/kept && chown web:web /data /data/kept || exit 1
exec su -s /bin/sh web -c 'echo "$(id -u):$(id -g) $(echo mine >/data/kept; cat /data/kept)"; sleep 1000'
`;

/** What an app declares, on a machine that has files and folders there, and at one place nothing. */
const DECLARED = [
  ...["fs /etc/app.conf ro", "fs /mnt/all ro", "fs /mnt/all/in rw", "fs /run/app.txt ro"],
  ...["fs /srv/a b.txt rw", "fs /srv/data rw", "fs /srv/gone ro", "fs /var/tmp/app.txt ro"],
];
const USE_DECLARED = `
cat /etc/app.conf /run/app.txt /var/tmp/app.txt "/srv/a b.txt" /srv/data/x /mnt/all/x
for file in /etc/app.conf "/srv/a b.txt" /srv/data/new /mnt/all/new /mnt/all/in/new /srv/new; do
  (echo written >>"$file") 2>/dev/null && echo "$file: yes" || echo "$file: no"
done
ls /srv/gone 2>&1
sleep 1000
`;

/** A bundle of a static program, which finds nothing but itself in the root of its service. */
async function staticBundle(name: string): Promise<string> {
  const dir = temporaryDirectory();
  mkdirSync(path.join(dir, name), { recursive: true });
  writeFileSync(path.join(dir, "app.c"), PROGRAM);
  execFileSync("gcc", ["-static", "-o", path.join(dir, name, "app"), path.join(dir, "app.c")]);
  const output = path.join(dir, `${name}.run`);
  await build({ input: path.join(dir, name), output, name });
  return output;
}

const bundle = (...args: string[]) => run(process.execPath, [bundleCommand, "export", ...args]);

const hostile = "a $HOME ${V} %n %% \"q\" 's' \\n;";

describe("a portable service", () => {
  const needs = [...machineNeeds, "loop", "gcc", "busybox", "mksquashfs", "python3"] as const;
  const tested = skipUnless(...needs);
  let text: string;
  const part = (name: string) => text.split(`== ${name}\n`)[1]?.split("\n== ")[0] ?? "";

  beforeAll(async () => {
    if (needs.some((need) => missing(need) !== undefined)) return;
    const dir = temporaryDirectory();
    const file = (name: string) => path.join(dir, name);
    const input = await staticBundle("app");
    const more = ["--socket", "/run/app.sock", "--arg", hostile, "--env", `V=${hostile}`];
    const made = await bundle(input, "--portable", file("app_1.0.raw"), ...more);
    expect(made).toMatchObject({ status: 0, stderr: "" });
    expect(made.stdout).toContain("app_1.0.raw: app.service, app.socket, ");
    await exportPortable({ input, portable: file("plain.raw"), env: ["V=v"] });
    const web = await rootBundle(
      { "usr/lib/systemd/system/web-other.service": "[Service]\nExecStart=/bin/true\n" },
      {
        name: "web",
        args: ["/bin/sh", "-c"],
        cmd: ["exit 1"],
        user: "web",
        volumes: ["/data"],
        env: ["A=from the image"],
      } as Partial<Manifest>,
    );
    const script = 'echo "$(id -u):$(id -g) $A"; pwd; echo x > /data/x; cat /data/x; sleep 1000';
    await exportPortable({ input: web, portable: file("web.raw"), args: [script] });
    const entry = await rootBundle({ "entry.sh": ENTRY_SCRIPT }, {
      name: "entry",
      args: ["/bin/sh", "/entry.sh"],
      volumes: ["/data"],
    } as Partial<Manifest>);
    await exportPortable({ input: entry, portable: file("entry.raw") });
    const declared = await rootBundle({ "use.sh": USE_DECLARED }, {
      ...{ name: "declared", args: ["/bin/sh", "/use.sh"], sandbox: DECLARED },
    } as Partial<Manifest>);
    await exportPortable({ input: declared, portable: file("declared.raw") });
    const names = ["app_1.0.raw", "plain.raw", "web.raw", "entry.raw", "declared.raw"];
    const files: MachineFiles = {
      texts: {
        ...{ "etc/app.conf": "conf\n", "srv/a b.txt": "file\n", "srv/data/x": "data\n" },
        ...{ "mnt/all/x": "all\n", "mnt/all/in/x": "in\n" },
      },
      copies: Object.fromEntries(names.map((name) => [`/opt/images/${name}`, file(name)])),
      loops: true,
    };
    const outcome = await onSystemd(
      files,
      `systemctl start dbus.socket dbus.service
      ask() { python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(100); s.connect(sys.argv[1])
print(s.makefile().read())' "$1"; }
      # All that a unit has said, when a line is there: it comes by way of the journal.
      said() {
        timeout 100 sh -c "until journalctl --no-pager --output cat --unit $1 | grep -q '$2'; do sleep 0.1; done"
        journalctl --no-pager --output cat --unit "$1"
      }
      cd /opt/images
      for image in ./app_1.0.raw ./plain.raw; do portablectl attach $image; done >/dev/null 2>&1
      for image in ./web.raw ./entry.raw; do portablectl attach --profile=trusted $image; done >/dev/null 2>&1
      echo "== attached"; portablectl --no-legend list | awk '{ print $1, $NF }'
      ls /etc/systemd/system.attached | grep -v '[.]d$'
      echo "== app"; systemctl start app.socket; ask /run/app.sock; ls -A /var/lib/private/app
      echo "== plain"; systemctl start plain.service; said plain.service machine=; systemctl is-active plain.service
      echo "== strict"; portablectl detach --now ./plain.raw >/dev/null 2>&1
      portablectl attach --profile=strict ./plain.raw >/dev/null 2>&1
      systemctl start plain.service; systemctl is-active plain.service
      echo "== web"; systemctl start web.service; said web.service '^x$'; systemctl is-active web.service; ls /var/lib/web/*
      echo "== entry"; systemctl start entry.service; said entry.service mine; systemctl is-active entry.service
      stat -c %u:%g /var/lib/entry/data-0/kept
      echo run >/run/app.txt; echo tmp >/var/tmp/app.txt
      portablectl attach --profile=trusted ./declared.raw >/dev/null 2>&1
      echo "== declared"; systemctl start declared.service; said declared.service /srv/gone; cat "/srv/a b.txt" /srv/data/new /mnt/all/in/new
      echo "== newer"; cp app_1.0.raw app_1.1.raw
      portablectl reattach --now ./app_1.1.raw >/dev/null 2>&1; portablectl --no-legend list | awk '{ print $1, $NF }' | grep app
      echo "== detached"
      for image in ./app_1.1.raw ./plain.raw ./web.raw ./entry.raw ./declared.raw; do portablectl detach --now $image; done >/dev/null 2>&1
      portablectl --no-legend list; ls /etc/systemd/system.attached 2>/dev/null; ls /var/lib/web; grep /opt/images /proc/mounts
      echo "== end"
      `,
    );
    text = outcome.stdout;
    expect(outcome, text).toMatchObject({ status: 0 });
  });

  tested("is attached under the name of its image, with the units of its own alone", () => {
    expect(part("attached").trim().split("\n")).toEqual([
      ...["app_1.0 attached", "entry attached", "plain attached", "web attached"],
      ...["app.service", "app.socket", "entry.service", "plain.service", "web.service"],
    ]);
  });

  tested("answers at its socket, sees its image alone, and keeps what it writes", () => {
    const facts = `folder=/var/lib/app [${hostile}] V=${hostile} DIR=/opt/app kept=yes own=no machine=no`;
    const [first = "", , kept] = part("app").split("\n");
    expect(first.replace(/^uid=6[1-5]\d{3} /, "")).toBe(facts);
    expect(kept).toBe("kept");
  });

  tested("starts under the profiles for services that are no more trusted than others", () => {
    expect(part("plain")).toContain("V=v DIR=/opt/app kept=yes own=no machine=no\nactive");
    expect(part("strict").trim()).toBe("active");
  });

  tested("of an image that is a root has the image's user and volumes", () => {
    expect(part("web").trim()).toBe("101:102 from the image\n/\nx\nactive\nx");
  });

  tested("of an image that starts as root changes owners and becomes another user", () => {
    // su has words of its own for the journal.
    const said = part("entry")
      .trim()
      .split("\n")
      .filter((line) => !line.endsWith(" root:web"));
    expect(said).toEqual(["0:0", "101:102 mine", "active", "101:102"]);
  });

  tested("has what the machine has at paths that the app declares, files and folders", () => {
    expect(part("declared").trim().split("\n")).toEqual([
      ...["conf", "run", "tmp", "file", "data", "all"],
      ...["/etc/app.conf: no", "/srv/a b.txt: yes", "/srv/data/new: yes", "/mnt/all/new: no"],
      ...["/mnt/all/in/new: yes", "/srv/new: no"],
      "ls: /srv/gone: No such file or directory",
      ...["file", "written", "written", "written"],
    ]);
  });

  tested(
    "is replaced by another version, and leaves what it kept alone when it is detached",
    () => {
      expect(part("newer").trim()).toBe("app_1.1 running");
      expect(part("detached").trim()).toBe("data-0");
    },
  );
});

describe("the image of a portable service", () => {
  skipUnless("gcc")("has the same bytes every time, and replaces none unless asked", async () => {
    const input = await staticBundle("app");
    const portable = path.join(temporaryDirectory(), "app.raw");
    await exportPortable({ input, portable });
    const first = readFileSync(portable);
    expect(await bundle(input, "--portable", portable)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("E_ENGINE_EXISTS"),
    });
    const again = await bundle(input, "--portable", portable, "--force", "--json");
    expect(JSON.parse(again.stdout)).toEqual({
      output: portable,
      size: first.length,
      units: ["app.service"],
    });
    expect(readFileSync(portable).equals(first)).toBe(true);
    const entries = await readImage(portable, ({ entries }) => entries.map((one) => one.path));
    for (const file of ["usr/lib/os-release", "etc/machine-id", "etc/resolv.conf", "var/lib/app"]) {
      expect(entries).toContain(file);
    }
  });

  skipUnless("busybox", "mksquashfs")("keeps what the image is, and mends its links", async () => {
    const input = await rootBundle(
      {
        "usr/lib/os-release": "ID=other\n",
        "usr/lib/systemd/system/a-b.service": "",
        "usr/lib/systemd/system/a.timer": "",
        "usr/lib/systemd/system/ab.service": "",
      },
      { args: ["sh"] },
      (dir) => {
        symlinkSync("usr/lib", path.join(dir, "lib"));
        mkdirSync(path.join(dir, "run"));
        symlinkSync("../run/resolv.conf", path.join(dir, "etc/resolv.conf"));
        chmodSync(path.join(dir, "bin/busybox"), 0o4755);
        linkSync(path.join(dir, "bin/busybox"), path.join(dir, "second"));
      },
    );
    const portable = path.join(temporaryDirectory(), "a_2.raw");
    await exportPortable({ input, portable });
    await readImage(portable, async ({ entries, read }) => {
      const named = (wanted: string) => entries.find((one) => one.path === wanted);
      expect(`${await read("usr/lib/os-release")}`).toBe("ID=other\n");
      expect(named("etc/resolv.conf")).toMatchObject({ kind: "file", size: 0 });
      expect(named("second")).toMatchObject({ mode: 0o4755 });
      expect(named("second")?.inode).toBe(named("bin/busybox")?.inode);
      const units = entries.map((one) => one.path).filter((one) => /systemd.system\//.test(one));
      expect(units).toEqual(["etc/systemd/system/a.service", "usr/lib/systemd/system/ab.service"]);
      expect(`${await read("etc/systemd/system/a.service")}`).toContain('\nExecStart="/bin/sh"\n');
    });
  });

  skipUnless("gcc", "systemdAnalyze")("is as little exposed as what the app declares", async () => {
    const dir = temporaryDirectory();
    const input = await staticBundle("app");
    const output = path.join(dir, "declared.run");
    const permissions = { fs: { "/srv/data": "ro" }, net: "none" } as const;
    await build({ input, output, name: "app", permissions });
    await exportPortable({ input: output, portable: path.join(dir, "app.raw") });
    const unit = await readImage(path.join(dir, "app.raw"), async ({ entries, read }) => {
      const named = (wanted: string) => entries.find((one) => one.path === wanted);
      expect(named("srv/data")).toMatchObject({ target: "/.machine/srv/data" });
      expect(named(".machine")).toMatchObject({ kind: "directory" });
      return `${await read("etc/systemd/system/app.service")}`;
    });
    writeFileSync(path.join(dir, "app.service"), unit);
    const args = ["security", "--offline=true", "--no-pager", path.join(dir, "app.service")];
    const { stdout } = await run("systemd-analyze", args, { env: { LC_ALL: "C" } });
    expect(Number(/exposure level for \S+: ([0-9.]+)/.exec(stdout)?.[1])).toBeLessThanOrEqual(0.6);
  });

  skipUnless("gcc")(
    "has a name that portablectl takes, and a program that it can start",
    async () => {
      const input = await staticBundle("app");
      const dir = temporaryDirectory();
      for (const name of ["app.img", "a b.raw", "_1.raw", "a_.raw", "-a.raw"]) {
        const refused = await bundle(input, "--portable", path.join(dir, name));
        expect(refused.stderr, name).toContain("E_OPTION_VALUE");
        expect(refused.stderr, name).toContain("NAME_VERSION.raw");
      }
      const strange = await bundle(input, "--portable", path.join(dir, "a.raw"), "--name", "b");
      expect(strange.stderr).toContain("--name says nothing to --portable");
      const image = await bundle(input, "--portable", path.join(dir, "a.raw"), "--to", "oci:b");
      expect(image.stderr).toContain("--to is of images");
      expect(existsSync(path.join(dir, "a.raw"))).toBe(false);
      const script = path.join(dir, "script");
      writeFiles(script, { run: "#!/usr/bin/nothing\n" });
      await build({ input: script, output: path.join(dir, "script.run") });
      const libc = await bundle(
        path.join(dir, "script.run"),
        "--portable",
        path.join(dir, "a.raw"),
      );
      expect(libc.stderr).toContain("E_EXPORT_LIBC");
    },
  );
});

test("a folder of the image in whose place something else stands is said", async () => {
  const none = { mode: 0o644, uid: 0, gid: 0, mtime: 0, xattrs: [], inode: 1 };
  const file = { path: "var", kind: "file", ...none } as const;
  const files = { name: "a", units: [], release: "", folders: [], points: new Map(), mtime: 0 };
  expect(() => portableEntries([file], files)).toThrow(
    expect.objectContaining({ code: "E_ENGINE_INPUT", path: "/var" }),
  );
});
