/** `bundle service` on a machine whose process 1 is systemd, for the machine and for a user. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { build } from "../../builder/api/build.ts";
import { writeFiles } from "../support/case.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { root, run } from "../support/process.ts";
import { machineNeeds, onSystemd } from "../support/systemd-machine.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** Says its version and its name of a user, and stays. */
const script = (version: string) => `#!/bin/sh
echo "version ${version} $* $(id -u)" > "$HOME/said"
exec sleep 1000
`;

async function versionOf(version: string): Promise<string> {
  const dir = path.join(temporaryDirectory(), "app");
  writeFiles(dir, { run: script(version) });
  const output = path.join(temporaryDirectory(), "app.run");
  await build({ input: dir, output, name: "my app" });
  return output;
}

/** Of the user in that machine. */
const home = path.join("/", "home", "tester");

const cli = path.join(root, "dist/cli/main.js");

describe("a bundle as a service", () => {
  const needs = [...machineNeeds] as const;
  const test = skipUnless(...needs);
  let text: string;
  /** Lines between two that say a name. */
  const part = (name: string) => text.split(`== ${name}\n`)[1]?.split("\n== ")[0] ?? "";

  beforeAll(async () => {
    if (needs.some((need) => missing(need) !== undefined)) return;
    const first = await versionOf("1");
    const second = await versionOf("2");
    const bundle = `${process.execPath} ${cli} service`;
    const outcome = await onSystemd(
      { copies: { "/opt/first.run": first, "/opt/second.run": second } },
      // The checkout may be where a machine has its own /tmp.
      `mkdir -p ${root} && mount --bind /results/checkout ${root}
      systemctl start basic.target
      bundle() { ${bundle} "$@" 2>&1; echo "status $?"; }
      said() { timeout 100 sh -c "until test -s $1; do sleep 0.1; done"; cat "$1"; rm -f "$1"; }
      echo "== before"; bundle status /opt/first.run; bundle remove my-app
      echo "== installed"; bundle install /opt/first.run --now --arg 'a b'; said /var/lib/private/my-app/said
      echo "== again"; bundle install /opt/first.run --now --arg 'a b'
      echo "== status"; bundle status my-app
      echo "== newer"; bundle install /opt/second.run --now --socket 80; said /var/lib/private/my-app/said
      ls /etc/systemd/system
      echo "== older"; bundle install /opt/first.run; ls /etc/systemd/system; bundle status /opt/first.run
      echo "== foreign"; echo '[Service]' > /etc/systemd/system/other.service
      bundle install /opt/first.run --name other; bundle remove other; ls /usr/local/lib/bundles
      echo "== elsewhere"; mkdir -p /etc/sysusers.d /opt/a
      printf '[Service]\\nExecStart=/bin/true\\n' > /run/systemd/system/vendor.service
      printf '[Service]\\nExecStart=/bin/true\\n' > /opt/a/linked.service
      systemctl daemon-reload; systemctl link /opt/a/linked.service 2>/dev/null
      ln -s /opt/a/nothing /etc/systemd/system/dangling.service
      systemctl mask masked.service 2>/dev/null; ln -s /bin/true /usr/local/lib/bundles/aliased.run
      for name in vendor linked dangling masked aliased; do bundle install /opt/first.run --name $name; done
      for name in vendor linked dangling masked; do bundle remove $name; done
      ls -l /etc/systemd/system | grep -c -- '->'; ls -l /usr/local/lib/bundles/aliased.run | grep -c -- '-> /bin/true'
      rm /etc/systemd/system/dangling.service /usr/local/lib/bundles/aliased.run
      systemctl disable linked.service 2>/dev/null; systemctl unmask masked.service 2>/dev/null
      echo "== strange"; cp /opt/first.run "/opt/a b%n;$x.run"
      bundle install "/opt/a b%n;$x.run" --name x-y-n --arg '%n $HOME'; bundle status 'x-y-n'
      grep -c 'ExecStart="/usr/local/lib/bundles/x-y-n.run" "%%n [$][$]HOME"' /etc/systemd/system/x-y-n.service; bundle remove x-y-n
      for what in ../../etc/passwd 'a/b' /nothing '' /etc/hostname /opt; do bundle install "$what"; bundle remove "$what"; done
      mount --bind -o ro /usr/local/lib/bundles /usr/local/lib/bundles; bundle install /opt/first.run --name other2
      umount /usr/local/lib/bundles; ls /etc/systemd/system | grep -c other2
      mount --bind /etc/systemd/system /etc/systemd/system; mount -o remount,ro,bind /etc/systemd/system
      bundle install /opt/first.run --name other3; umount /etc/systemd/system; ls /usr/local/lib/bundles
      echo "== changed"; echo >> /usr/local/lib/bundles/my-app.run; bundle status my-app; bundle remove my-app
      ls /usr/local/lib/bundles /etc/systemd/system; systemctl is-active my-app.service
      echo "== refused"; rm /usr/local/lib/bundles/*
      mkdir /usr/local/lib/bundles/my-app.run; bundle install /opt/first.run; ls /etc/systemd/system
      rmdir /usr/local/lib/bundles/my-app.run
      echo "== fails"; printf '#!/bin/sh\\nexit 1\\n' > /opt/systemctl; chmod +x /opt/systemctl
      PATH=/opt:$PATH bundle install /opt/first.run; ls /usr/local/lib/bundles /etc/systemd/system
      echo "== ends"; printf '#!/bin/sh\\nexit 3\\n' > /opt/ends; chmod +x /opt/ends
      rm -rf /usr/local/lib/bundles/*
      ${process.execPath} ${cli} build /opt/ends -o /opt/ends.run >/dev/null 2>&1
      bundle install /opt/ends.run --now; bundle status ends; bundle remove ends
      echo "== taken"; bundle install /opt/first.run --now --socket 80 --name one
      bundle install /opt/first.run --now --socket 80 --name two; bundle remove two; bundle remove one
      echo "== together"
      for round in 1 2 3; do
        for number in 1 2 3 4; do
          bundle install /opt/first.run --name joint --arg "$number" > /opt/said.$number &
        done
        wait; cat /opt/said.*; grep -c ExecStart= /etc/systemd/system/joint.service; bundle status joint
        for number in 1 2 3 4; do bundle remove joint > /opt/said.$number & done
        wait; cat /opt/said.*; find /usr/local/lib/bundles /etc/systemd/system -name 'joint*'
      done
      echo "== user"
      useradd --create-home --uid 1555 --user-group tester
      mkdir /etc/systemd/system/user@.service.d
      printf '[Service]\\nPAMName=\\nEnvironment=XDG_RUNTIME_DIR=/run/user/%%i\\n' > /etc/systemd/system/user@.service.d/plain.conf
      systemctl daemon-reload
      systemctl start dbus.socket systemd-logind.service user@1555.service ||
        journalctl --no-pager -u user@1555.service -u user-runtime-dir@1555.service -u systemd-logind
      bundle() {
        setpriv --reuid 1555 --regid 1555 --init-groups env -u XDG_CONFIG_HOME -u XDG_CACHE_HOME HOME=${home} \
          XDG_RUNTIME_DIR=/run/user/1555 ${bundle} "$@" --user 2>&1; echo "status $?"
      }
      bundle install /opt/first.run --now --arg 'a b'; said ${home}/said
      bundle status my-app; bundle install /opt/second.run --now; said ${home}/said
      bundle remove my-app; find ${home}/.local ${home}/.config -type f
      echo "== nobody"; setpriv --reuid 1555 --regid 1555 --init-groups ${bundle} install /opt/first.run 2>&1
      setpriv --reuid 1555 --regid 1555 --init-groups ${bundle} remove my-app 2>&1
      systemctl stop user@1555.service
      echo "== end"
      `,
    );
    text = outcome.stdout;
    expect(outcome, text).toMatchObject({ status: 0 });
  });

  test("is not there before it is installed", () => {
    expect(part("before")).toBe(
      "my-app is not installed\nstatus 0\nmy-app was not installed\nstatus 0",
    );
  });

  test("is put in place and started, once", () => {
    const files = ["/usr/local/lib/bundles/my-app.run", "/etc/systemd/system/my-app.service"].join(
      "\n",
    );
    expect(part("installed")).toMatch(
      new RegExp(`^${files}\\nmy-app runs\\nstatus 0\\nversion 1 a b [0-9]+$`),
    );
    expect(part("again")).toBe(`${files}\nmy-app runs, and nothing has changed\nstatus 0`);
    expect(part("status")).toMatch(
      /^my-app: active, enabled, process [0-9]+\n\/usr\/local\/lib\/bundles\/my-app.run\nstatus 0$/,
    );
  });

  test("becomes another version, with a socket and without", () => {
    expect(part("newer")).toMatch(/my-app runs\nstatus 0\nversion 2 +[0-9]+\n/);
    expect(part("newer")).toContain("my-app.service\nmy-app.socket");
    expect(part("older")).toContain("\nstatus 0\ncheck.service\nmulti-user.target.wants\n");
    expect(part("older")).not.toContain("my-app.socket");
  });

  test("leaves alone what is somebody else's", () => {
    expect(part("foreign")).toMatch(/E_SERVICE_FOREIGN.*other.service(.|\n)*E_SERVICE_FOREIGN/);
    expect(part("foreign")).toMatch(/\nmy-app.run$/);
    expect(part("changed")).toContain("changed since it was installed\nstatus 0");
    expect(part("changed")).toContain("my-app.run was changed since it was installed, and stays");
    expect(part("changed")).toMatch(/bundles:\nmy-app.run\ninactive$/);
    expect(
      part("changed").split("/usr/local/lib/bundles:")[0]?.split("systemd/system:")[1],
    ).not.toContain("my-app");
  });

  test("leaves alone what has its name elsewhere, or is a link", () => {
    const said = part("elsewhere").split("\n");
    expect(said.filter((line) => line.startsWith("bundle: ["))).toEqual(
      [
        ...["/run/systemd/system/vendor.service", "/etc/systemd/system/linked.service"],
        ...["/etc/systemd/system/dangling.service", "/etc/systemd/system/masked.service"],
        "/usr/local/lib/bundles/aliased.run",
        ...["linked", "dangling", "masked"].map((name) => `/etc/systemd/system/${name}.service`),
      ].map(
        (file) => `bundle: [E_SERVICE_FOREIGN] ${file}: was not installed by \`bundle service\``,
      ),
    );
    // All of them are what they were.
    expect(said.slice(-3)).toEqual(["status 1", "3", "1"]);
  });

  test("is installed from any path, and refuses what is none", () => {
    const [first = "", rest = ""] = part("strange").split("x-y-n.service removed\n");
    expect(first).toMatch(
      /--now starts it\nstatus 0\nx-y-n: inactive, disabled\n.*\nstatus 0\n1\n/,
    );
    const codes = [...rest.matchAll(/\[(E_\w+)\]/g)].map(([, code]) => code);
    expect(codes).toEqual([
      ...["E_ELF_UNSUPPORTED", "E_ELF_UNSUPPORTED"],
      ...["E_INPUT_MISSING", "E_INPUT_MISSING", "E_INPUT_MISSING", "E_INPUT_MISSING"],
      ...["E_ARGUMENT", "E_ARGUMENT", "E_ELF_UNSUPPORTED", "E_ELF_UNSUPPORTED"],
      ...["E_FILE_UNREADABLE", "E_INPUT_MISSING"],
      ...["E_OUTPUT_PERMISSION", "E_OUTPUT_PERMISSION"],
    ]);
    // Neither a unit nor a bundle of what could not be written.
    expect(rest.trim().split("\n").slice(-3)).toEqual([
      expect.any(String),
      ...["status 1", "my-app.run"],
    ]);
    expect(rest).toContain("status 1\n0\n");
  });

  test("is installed and removed by several at once as by one behind the other", () => {
    const said = part("together");
    const unit = "/etc/systemd/system/joint.service";
    const program = "/usr/local/lib/bundles/joint.run";
    expect(said).not.toContain("bundle: [");
    expect(said.match(/status \d+/g)).toEqual(Array(3 * 9).fill("status 0"));
    // One has removed it, and the others have found nothing.
    expect(said.match(/joint was not installed/g)).toHaveLength(3 * 3);
    expect(said.match(new RegExp(`${unit} removed\\n${program} removed`, "g"))).toHaveLength(3);
  });

  test("is a user's own, too", () => {
    const program = `${home}/.local/lib/bundles/my-app.run`;
    const unit = `${home}/.config/systemd/user/my-app.service`;
    const [first = "", second = ""] = part("user").split("my-app: active, enabled, process ");
    expect(first).toBe(`${program}\n${unit}\nmy-app runs\nstatus 0\nversion 1 a b 1555\n`);
    expect(second).toContain(`my-app runs\nstatus 0\nversion 2  1555\n`);
    expect(second).toMatch(new RegExp(`${unit} removed\n${program} removed\nstatus 0$`));
    expect(part("nobody").match(/E_[A-Z_]+/g)).toEqual([
      ...["E_SERVICE_PERMISSION", "E_SERVICE_PERMISSION"],
    ]);
    expect(part("nobody")).toContain("--user");
  });

  test("is a failure where its app fails at once", () => {
    const failure = "it has ended with status 3";
    const [installed, ...shown] = part("ends").split("\n");
    expect(installed).toBe(
      `bundle: [E_SERVICE_FAILED] ends: the app has failed within a second of its start: ${failure}`,
    );
    expect(shown.slice(1, 4)).toEqual([
      "status 1",
      expect.stringMatching(/^ends: (activating|failed), enabled$/),
      "/usr/local/lib/bundles/ends.run",
    ]);
    expect(shown[4]).toBe(`${failure}; journalctl has what it said`);
  });

  test("is a failure in one line where systemd says several", () => {
    expect(part("taken")).toMatch(
      /E_SERVICE_FAILED\] systemctl .*start two.socket two.service failed: [^\n\\]+\n {2}`journalctl/,
    );
  });

  test("leaves nothing of what could not be installed", () => {
    expect(part("refused")).toContain("E_SERVICE_FOREIGN");
    expect(part("refused")).not.toContain("my-app.service");
    expect(part("fails")).toContain("E_SERVICE_FAILED");
    expect(part("fails").split("bundles:")[1]).not.toContain("my-app");
  });
});

describe("a machine without systemd", () => {
  const test = skipUnless("root");
  test("is told what does without it", async () => {
    const file = await versionOf("1");
    // Where systemd runs, by a view in which it does not.
    const hide = 'mount -t tmpfs none /run; exec "$@"';
    const words = ["--mount", "sh", "-c", hide, "sh", process.execPath];
    const { status, stderr } = await run("unshare", [...words, cli, "service", "install", file]);
    expect(status).not.toBe(0);
    expect(stderr).toContain("E_SERVICE_SYSTEMD");
    expect(stderr).toContain("bundle export --systemd");
    expect(readFileSync(file).length).toBeGreaterThan(0);
  });
});
