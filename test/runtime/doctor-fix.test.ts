/** `bundle doctor --fix` mends a machine for ordinary users, and `--unfix` gives back what was there. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect } from "vitest";
import { onAnotherMachine } from "../support/another-machine.ts";
import { skipUnless } from "../support/needs.ts";
import { asUser, bundle, bundleCommand, type Outcome, root } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const check = skipUnless("root", "userns", "fuse");

/** A script in which $B is the command, on a machine of its own. */
function machine(script: string): Promise<Outcome> {
  const begin = `B="${process.execPath} ${bundleCommand}"; export PATH=/usr/sbin:/usr/bin:/bin:/sbin; `;
  return onAnotherMachine(temporaryDirectory(), begin + script, root);
}

/** Every user namespace is one too many: the kernel really refuses. */
const limited = "echo 0 > /proc/sys/user/max_user_namespaces; ";
const conf = "/etc/sysctl.d/60-fuselage-user.max_user_namespaces.conf";

/**
 * /proc/sys/kernel of a machine whose AppArmor restricts; the parser writes down what it is asked. What a
 * profile says is looked at by the real one, of which versions before 4 do not know `userns` yet.
 */
function restricted(parser: string): string {
  const apparmor = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
  return `mount -t tmpfs none /proc/sys/kernel; echo 1 > ${apparmor}; rm -rf /etc/apparmor.d/fuselage* /etc/asked
mv /usr/sbin/apparmor_parser /usr/sbin/real-parser; ls /etc/apparmor.d > /etc/before
cat > /usr/sbin/apparmor_parser <<'EOF'
#!/bin/sh
echo "$@" >> /etc/asked
${parser}
EOF
chmod 755 /usr/sbin/apparmor_parser; ${limited}`;
}

describe("user.max_user_namespaces", () => {
  check("is raised, now and for the next start of the machine, and given back", async () => {
    const { stdout, stderr, status } = await machine(`${limited}
      $B doctor --fix --yes --json > /etc/plan
      cat /proc/sys/user/max_user_namespaces ${conf} /etc/plan
      $B doctor --unfix; cat /proc/sys/user/max_user_namespaces; ls ${conf} /var/lib/fuselage-bundle`);
    expect(stderr).toBe(`ls: cannot access '${conf}': No such file or directory\n`);
    const [, value, file, json, after] =
      /^(\d+)\n(.*?)\n(\{\n.*?\n\}\n)Taken back\.\n(\d+)\n/s.exec(stdout) ?? [];
    expect({ status, value, file, after }).toEqual({
      status: 2,
      value: "10000",
      file: "user.max_user_namespaces = 10000",
      after: "0",
    });
    const plan = JSON.parse(json ?? "");
    expect(plan).toMatchObject({ user: { uid: 65534, gid: 65534 }, taken: 2 });
    expect(plan.remedies).toMatchObject([{ cause: "USERNS_LIMIT", strategies: ["fuse"] }]);
  });

  check("and a user's namespaces work when it is said to be done", async () => {
    const { stdout } = await machine(`${limited} $B doctor --fix --yes --user 1000`);
    const [before, after] = stdout.split("Done; --unfix takes it back. Now:");
    expect(before).toMatch(/^Tried as uid 1000:\n.*fuse +refused: user namespace cannot be made/s);
    expect(after).toMatch(/^fuse +works/m);
  });

  check("twice is once", async () => {
    const { stdout, stderr } = await machine(`${limited} $B doctor --fix --yes > /dev/null
      ${limited} $B doctor --fix --yes > /dev/null; $B doctor --unfix; $B doctor --unfix
      cat /proc/sys/user/max_user_namespaces`);
    expect({ stdout, stderr }).toEqual({
      stdout: "Taken back.\nThere is nothing to take back.\n0\n",
      stderr: "",
    });
  });

  check("a file that was changed since stays, and a value too", async () => {
    const { stdout, stderr } = await machine(`${limited} $B doctor --fix --yes > /dev/null
      echo "# mine" >> ${conf}; echo 77 > /proc/sys/user/max_user_namespaces
      $B doctor --unfix; cat ${conf} /proc/sys/user/max_user_namespaces`);
    expect(stderr).toBe(`bundle: ${conf} stays: it was changed since\n`);
    expect(stdout).toBe("Taken back.\nuser.max_user_namespaces = 10000\n# mine\n77\n");
  });

  check("a file of somebody else's is left alone, and the step before is taken back", async () => {
    const { stdout, stderr } = await machine(`${limited} mkdir -p /etc/sysctl.d
      echo theirs > ${conf}; $B doctor --fix --yes > /dev/null; echo $?
      cat ${conf} /proc/sys/user/max_user_namespaces; ls -A /var/lib/fuselage-bundle`);
    expect(stderr).toContain(`[E_DOCTOR_FIX] ${conf}: a file of somebody else's is there`);
    expect(stdout).toBe("1\ntheirs\n0\n");
  });
});

describe("AppArmor", () => {
  const check = skipUnless("root", "userns", "apparmor");
  const asReal =
    'test "$1" != -Q || sed "/userns,/d; /^abi/d" "$3" | /usr/sbin/real-parser -Q -K > /etc/real 2>&1';
  const names = ["app.run", "with blank", "{a,b}*[c]?^", 'quo"te\\', "@{HOME}"];
  check(
    "a profile names one file, whatever it is called, and is loaded when it is sound",
    async () => {
      const dir = temporaryDirectory();
      mkdirSync(path.join(dir, "bundles"));
      for (const name of names) {
        const input = path.join(dir, "hello.sh");
        writeFileSync(input, "#!/bin/sh\necho hello\n", { mode: 0o755 });
        const output = path.join(dir, "bundles", name);
        expect(await bundle(["build", input, "-o", output])).toMatchObject({ status: 0 });
      }
      const { stdout, stderr } = await machine(`${restricted(asReal)} cd "${dir}/bundles"
      for f in *; do $B doctor "$f" --fix --yes > /dev/null || echo failed; done
      cat /etc/apparmor.d/fuselage-* | grep -E '^profile|^  userns|^abi'; sed 's/-[0-9a-f]*$//' /etc/asked | cut -c1-30 | sort | uniq -c
      : > /etc/asked; $B doctor --unfix; ls /etc/apparmor.d | diff /etc/before -; grep -c -- '^-R' /etc/asked`);
      expect(stderr).toBe("");
      const literal = (name: string) =>
        `"${dir}/bundles/${name.replace(/[\\"*?[\]{}^,@]/g, "\\$&")}"`;
      for (const name of names) expect(stdout).toContain(`${literal(name)} flags=(unconfined) {`);
      expect(stdout.match(/^ {2}userns,$/gm)).toHaveLength(names.length);
      expect(stdout).toMatch(/\nTaken back\.\n5\n$/);
    },
  );

  check("what the parser refuses is not written", async () => {
    const { stdout, stderr } = await machine(`${restricted("echo no such rule; exit 1")}
      $B doctor --fix --yes > /dev/null; ls /etc/apparmor.d | diff /etc/before -; ls -A /var/lib/fuselage-bundle`);
    expect(stderr).toMatch(
      /\[E_DOCTOR_FIX\] \S+apparmor_parser -Q -K \S+: it ended with status 1: no such rule/,
    );
    expect(stdout).toBe("");
  });

  check("what the kernel refuses is taken back", async () => {
    const { stdout, stderr } =
      await machine(`${restricted('case "$1" in -r) echo no module; exit 3;; esac')}
      $B doctor --fix --yes > /dev/null; ls /etc/apparmor.d | diff /etc/before -; ls -A /var/lib/fuselage-bundle`);
    expect(stderr).toMatch(/\[E_DOCTOR_FIX\] .* -r \S+: it ended with status 3: no module/);
    expect(stdout).toBe("");
  });
});

describe("asking", () => {
  const terminal = (answer: string) =>
    machine(`${limited} (sleep 2; printf '${answer}\\n') | script -qec "$B doctor --fix" /dev/null
      echo "status $?"; cat /proc/sys/user/max_user_namespaces`);

  for (const [answer, value, status] of [
    ["y", "10000", 0],
    ["n", "0", 1],
    ["", "0", 1],
    ["yes please", "0", 1],
  ] as const) {
    check(`"${answer}" on a terminal`, async () => {
      const { stdout } = await terminal(answer);
      expect(stdout).toContain("Do this? [y/N]");
      expect(stdout).toMatch(new RegExp(`status ${status}\n${value}\n$`));
    });
  }

  check("without a terminal nothing is done", async () => {
    const { stdout, stderr } =
      await machine(`${limited} $B doctor --fix </dev/null >/dev/null; echo $?
      cat /proc/sys/user/max_user_namespaces`);
    expect(stderr).toContain("[E_DOCTOR_UNASKED]");
    expect(stdout).toBe("1\n0\n");
  });
});

describe("what is not to be had", () => {
  check("a user is shown the steps, and told that root takes them", async () => {
    const { stdout, stderr } = await machine(`${limited}
      setpriv --reuid=1000 --regid=1000 --clear-groups $B doctor --fix --yes; echo $?`);
    expect(stdout).toContain("write 10000 to /proc/sys/user/max_user_namespaces");
    expect(stderr).toContain("[E_DOCTOR_ROOT] only root can do this: found uid 1000");
    expect(stdout).toMatch(/\n1\n$/);
  });

  check("a user's --unfix", async () => {
    const args = [bundleCommand, "doctor", "--unfix"];
    const { status, stderr } = await asUser(process.execPath, args, userDirectory());
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining("[E_DOCTOR_ROOT]"),
    });
  });

  check("a user that does not exist", async () => {
    const { status, stderr } = await bundle(["doctor", "--fix", "--user", "no such user"]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining("[E_DOCTOR_USER]"),
    });
  });

  check("a record that others can change, or that is damaged, is not followed", async () => {
    const { stderr } = await machine(`mkdir -p /var/lib/fuselage-bundle; cd /var/lib/fuselage-bundle
      echo '{"format":1,"steps":[{"type":"run","command":["touch","/etc/x"],"undo":["touch","/etc/x"]}]}' > doctor.json
      chmod 666 doctor.json; $B doctor --unfix; chmod 600 doctor.json; echo '{' > doctor.json; $B doctor --unfix
      test ! -e /etc/x || echo followed >&2`);
    expect(stderr).toMatch(/others can change it.*it is no record of this program/s);
    expect(stderr).not.toContain("followed");
  });
});

skipUnless("root")("this machine was not touched", () => {
  expect(readFileSync("/proc/sys/user/max_user_namespaces", "utf8")).not.toBe("0\n");
});
