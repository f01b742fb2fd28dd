/** `bundle doctor --fix` mends a machine for ordinary users, and `--unfix` gives back what was there. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
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

  check("several at once are one, and are given back as one", async () => {
    const together = `${limited} rm -f ${conf}
      for i in 1 2 3 4; do $B doctor --fix --yes > /etc/fixed$i & done; wait
      $B doctor --unfix; cat /proc/sys/user/max_user_namespaces; ls /etc/sysctl.d | grep -c fuselage
      `;
    const { stdout, stderr } = await machine(together.repeat(3));
    expect({ stdout, stderr }).toEqual({ stdout: "Taken back.\n0\n0\n".repeat(3), stderr: "" });
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

  check("is for the file that a link leads to, and says when others can replace that", async () => {
    const [dir, home] = [temporaryDirectory(), userDirectory()];
    const input = path.join(dir, "hello.sh");
    writeFileSync(input, "#!/bin/sh\necho hello\n", { mode: 0o755 });
    const [mine, theirs] = [path.join(dir, "mine"), path.join(home, "theirs")];
    for (const output of [mine, theirs]) {
      expect(await bundle(["build", input, "-o", output])).toMatchObject({ status: 0 });
      symlinkSync(output, `${output}.link`);
    }
    const { stdout } = await machine(`${restricted("true")}
      for f in ${mine} ${theirs}; do $B doctor $f.link --fix --yes; done; cat /etc/apparmor.d/fuselage-* | grep ^profile`);
    for (const file of [mine, theirs]) {
      expect(stdout).toMatch(new RegExp(`^profile \\S+ "${file}" flags`, "m"));
    }
    const said = "whoever can replace that file gets the same";
    expect(stdout).toContain(`${theirs}, and nothing else, to make user namespaces: ${said}`);
    expect(stdout).toContain(`${mine}, and nothing else, to make user namespaces\n`);
  });

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

describe("taking back", () => {
  check("goes on behind what cannot be taken back, and says what that is", async () => {
    const parser = 'if test "$1" = -R; then echo no such profile; exit 254; fi';
    const { status, stdout, stderr } = await machine(`${restricted(parser)}
      $B doctor --fix --yes > /dev/null; ls /etc/apparmor.d | diff /etc/before - | wc -l
      $B doctor --unfix; echo $?; ls /etc/apparmor.d | diff /etc/before -; $B doctor --unfix`);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: "2\nTaken back.\n0\nThere is nothing to take back.\n",
    });
    expect(stderr).toMatch(/^bundle: .*-R \S+: it ended with status 254: no such profile\n$/);
  });

  check("keeps in mind what could not be taken back and may be later", async () => {
    const { stdout, stderr } = await machine(`${limited} $B doctor --fix --yes > /dev/null
      mount --bind /etc/sysctl.d /etc/sysctl.d; mount -o remount,bind,ro /etc/sysctl.d
      $B doctor --unfix; cat /proc/sys/user/max_user_namespaces; ls ${conf}
      umount /etc/sysctl.d; $B doctor --unfix; ls /etc/sysctl.d | grep -c fuselage`);
    expect(stdout).toBe(`Taken back.\n0\n${conf}\nTaken back.\n0\n`);
    expect(stderr).toMatch(/^bundle: .*60-fuselage\S+: .*read-only/i);
  });

  check("a program that ran twice is undone once", async () => {
    const { stdout } = await machine(`${restricted("true")}
      $B doctor --fix --yes > /dev/null; $B doctor --fix --yes > /dev/null
      $B doctor --unfix; cut -c1-2 /etc/asked | sort | uniq -c | tr -s ' '`);
    expect(stdout).toBe("Taken back.\n 1 -Q\n 1 -R\n 2 -r\n");
  });

  check("is possible for a step that was ended in its middle", async () => {
    const { stdout } = await machine(`${restricted('test "$1" != -r || kill -9 $PPID')}
      $B doctor --fix --yes > /dev/null 2>&1; echo $?; $B doctor --unfix
      ls /etc/apparmor.d | diff /etc/before -; grep -c -- ^-R /etc/asked`);
    expect(stdout).toBe("137\nTaken back.\n1\n");
  });
});

describe("the user whose starts are tried", () => {
  /** A fusermount3 that writes down what a program of the user's meets in a start of the doctor's. */
  const spy = `mkdir /etc/spy; touch /etc/seen; chmod 666 /etc/seen
cat > /etc/spy/fusermount3 <<'EOF'
#!/bin/sh
dir=$(dirname "$(readlink /proc/$PPID/exe)")
{ stat -c '%a %u %F' "$dir" "$dir/image.sfs"; echo "told $SECRET"; (exec < /dev/tty) 2> /dev/null && echo terminal; } > /etc/seen
exit 1
EOF
chmod 4755 /etc/spy/fusermount3; export SECRET=token PATH=/etc/spy:$PATH\n`;

  /** What the user's own programs make of a start of the user's: they end its list by theirs, and it. */
  const answering = (answer: string, times = "1") => `mkdir /etc/spy
cat > /etc/spy/fusermount3 <<'EOF'
#!/usr/bin/python3
import ctypes, os, signal
call = ctypes.CDLL(None).syscall
one, all = os.getppid(), []
while os.stat(f"/proc/{one}").st_uid == os.getuid():
    all.append(one)
    one = int(open(f"/proc/{one}/stat").read().rsplit(") ")[1].split()[1])
output = call(438, os.pidfd_open(all[-1]), 1, 0)
for _ in range(${times}): os.write(output, b'''${answer}''')
for pid in all: os.kill(pid, signal.SIGKILL)
EOF
chmod 4755 /etc/spy/fusermount3; export PATH=/etc/spy:$PATH; $B doctor --fix --user 1000`;

  check(
    "alone can read the image, and gets neither root's variables nor the terminal",
    async () => {
      const dir = temporaryDirectory();
      const [input, output] = [path.join(dir, "hello.sh"), path.join(dir, "private.run")];
      writeFileSync(input, "#!/bin/sh\necho hello\n", { mode: 0o755 });
      expect(await bundle(["build", input, "-o", output])).toMatchObject({ status: 0 });
      chmodSync(output, 0o600);
      for (const [options, uid] of [
        ["--user 1000", 1000],
        ["", 65534],
      ] as const) {
        const { stdout } = await machine(
          `${spy} script -qec "$B doctor ${output} --fix ${options}" /dev/null < /dev/null > /dev/null; cat /etc/seen`,
        );
        expect({ uid, stdout }).toEqual({
          uid,
          stdout: `711 0 directory\n400 ${uid} regular file\ntold \n`,
        });
      }
    },
  );

  check("may own TMPDIR: root makes nothing there", async () => {
    const dir = userDirectory();
    const before = statSync(dir);
    const { stdout } = await machine(`export TMPDIR=${dir}; $B doctor --fix --user 1000`);
    expect(stdout).toMatch(/^fuse +works/m);
    expect(statSync(dir)).toMatchObject({ mtimeMs: before.mtimeMs, ctimeMs: before.ctimeMs });
  });

  check("is no root, nor one without a number", async () => {
    for (const user of ["root", "0", "", "4294967295", "+"]) {
      const { stderr } = await machine(
        `echo "+::::::" >> /etc/passwd; $B doctor --fix --user "${user}"`,
      );
      expect({ user, stderr }).toEqual({
        user,
        stderr: expect.stringContaining("[E_DOCTOR_USER]"),
      });
    }
  });

  check("gets at no file of root's by a name that leads to it", async () => {
    const dir = userDirectory();
    const names = { link: "/etc/shadow", folder: "/etc", terminal: "/dev/zero" };
    for (const [name, target] of Object.entries(names)) symlinkSync(target, path.join(dir, name));
    execFileSync("mkfifo", [path.join(dir, "fifo")]);
    for (const name of [...Object.keys(names), "fifo"]) {
      const { stderr } = await machine(`${spy} $B doctor ${dir}/${name} --fix; cat /etc/seen >&2`);
      expect({ name, stderr }).toEqual({
        name,
        stderr: expect.stringMatching(/^bundle: \[E_DOCTOR\] .*(no file|neither squashfs nor ELF)/),
      });
      expect(stderr).not.toContain("regular file");
    }
  });

  check("cannot keep root by writing on to a bundle that is copied", async () => {
    const file = path.join(userDirectory(), "grows");
    const { stderr } = await machine(`printf '\\177ELF' > ${file}; yes >> ${file} & writer=$!
      $B doctor ${file} --fix; kill $writer; rm ${file}`);
    expect(stderr).toMatch(/^bundle: \[E_DOCTOR\] [^\n]*grows: /);
  });

  const checkAnswer = skipUnless("root", "userns", "fuse", "systemPython");
  const answers = {
    "no list": "",
    "a strange way": '{"strategy":"__proto__","works":false,"milliseconds":1}]',
    "a strange cause": '{"strategy":"fuse","works":false,"milliseconds":1,"cause":"ALL"}]',
    "words that are none":
      '{"strategy":"fuse","works":false,"milliseconds":1,"reason":{"toString":1}}]',
  };
  for (const [title, answer] of Object.entries(answers)) {
    checkAnswer(`is not believed when it answers in the runtime's place: ${title}`, async () => {
      const { stdout, stderr } = await machine(answering(answer));
      expect({ stdout, stderr }).toEqual({
        stdout: "",
        stderr: expect.stringContaining("the answer is none of the runtime's"),
      });
    });
  }

  checkAnswer("cannot keep root by an answer without end", async () => {
    const { stdout, stderr } = await machine(answering(" ".repeat(4096), "1 << 62"));
    expect({ stdout, stderr }).toEqual({
      stdout: "",
      stderr: expect.stringContaining("another process of this user holds it up"),
    });
  });

  check(
    "cannot have a limit made smaller by such an answer, or write to the terminal",
    async () => {
      const reason = "\\\\u001b]0;title\\\\u0007";
      const { stdout } = await machine(
        `exec 2>&1; echo 31000 > /proc/sys/user/max_user_namespaces; ${answering(
          `{"strategy":"fuse","works":false,"milliseconds":1,"cause":"USERNS_LIMIT","reason":"${reason}","advice":"${reason}"}]`,
        )}; cat /proc/sys/user/max_user_namespaces`,
      );
      expect(stdout).toContain("user.max_user_namespaces is 31000, and the user has as many");
      expect(stdout).toMatch(/\n31000\n$/);
      expect(stdout).not.toContain("\x1b");
    },
  );
});

describe("root's programs", () => {
  check("are told nothing of what the caller's environment would have them do", async () => {
    const { stdout } = await machine(`${restricted("env | sort >> /etc/told; pwd >> /etc/told")}
      unset TERM; export APT_CONFIG=/x MODPROBE_OPTIONS=-C/x LD_PRELOAD= PERL5OPT=-Mx PATH=/etc/spy:$PATH LANG=C.UTF-8
      $B doctor --fix --yes > /dev/null; grep -v '^_=' /etc/told | sort -u`);
    expect(stdout).toBe(
      `/
DEBIAN_FRONTEND=noninteractive
HOME=/root
LANG=C.UTF-8
PATH=/usr/sbin:/usr/bin:/sbin:/bin
PWD=/
`,
    );
  });
});

describe("asking", () => {
  const terminal = (answer: string) =>
    machine(`${limited} touch /etc/shown
      (until grep -q "Do this" /etc/shown; do sleep 0.1; done; printf '${answer}\\n') |
        script -qfec "$B doctor --fix" /etc/shown
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
