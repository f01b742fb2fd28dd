/** Units in a systemd that runs: what their services are, see and may do. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { build } from "../../builder/api/build.ts";
import { type EngineOptions, exportEngine } from "../../builder/api/export-engine.ts";
import type { BuildOptions } from "../../builder/config/build-options.ts";
import { writeFiles } from "../support/case.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { rootBundle } from "../support/root-image.ts";
import { type MachineFiles, machineNeeds, onSystemd } from "../support/systemd-machine.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const needs = [...machineNeeds, "python3", "busybox", "mksquashfs"] as const;

/** Tells who asks by the socket, or without one its log, what it is and what it may do. */
const probe = `#!/usr/bin/python3
import json, os, socket, sys
def tried(what):
    try: return str(what())
    except OSError as error: return os.strerror(error.errno)
def line(name):
    return [l.split()[1] for l in open("/proc/self/status") if l.startswith(name)][0]
open("kept", "a").write("x")
facts = {
  "pid": os.getpid(), "args": sys.argv[1:], "env": dict(os.environ), "uid": os.getuid(),
  "folder": os.getcwd(), "fixed": os.path.exists("/run/fuselage/fixed/serve"),
  "written": tried(lambda: open(os.path.dirname(__file__) + "/new", "w").write("new")),
  "other": tried(lambda: len(open("/opt/ask").read()) > 0),
  "effective": line("CapEff"), "privileges": line("NoNewPrivs"),
  "kept": open("kept").read(),
  "etc": tried(lambda: open("/etc/new", "w")), "home": tried(lambda: os.listdir("/home")),
  "processes": tried(lambda: os.path.exists("/proc/1")),
  "packets": tried(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
  "secret": tried(lambda: open(os.environ.get("CREDENTIALS_DIRECTORY", "") + "/key").read()),
}
text = json.dumps(facts)
if "LISTEN_FDS" not in os.environ: print(text); sys.exit(0)
assert os.environ["LISTEN_PID"] == str(os.getpid())
listening = socket.socket(fileno=3)
if "NOTIFY_SOCKET" in os.environ:
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.sendto(b"READY=1\\nSTATUS=listens", os.environ["NOTIFY_SOCKET"])
while True:
    caller, _ = listening.accept()
    caller.sendall(text.encode())
    caller.close()
`;

/** Asks a socket and prints the line that comes. */
const ask = `import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(100)
s.connect(sys.argv[1])
text = b""
while True:
    part = s.recv(65536)
    if not part: break
    text += part
print(sys.argv[2] + " " + text.decode())
`;

interface Facts {
  [name: string]: unknown;
  env: Record<string, string>;
}

/** Values of the lines that begin with a name and a blank. */
function answers(text: string): Record<string, Facts> {
  const found = [...text.matchAll(/^(\w+) (\{.*\})$/gm)];
  return Object.fromEntries(found.map(([, name = "", json = "null"]) => [name, JSON.parse(json)]));
}

const hostile = "a $HOME ${V} %n %% \"q\" 's' \\n\n; \u2028\u0085ä\u{e0001} b\\";

async function bundle(name: string, options: Partial<BuildOptions>): Promise<string> {
  const dir = path.join(temporaryDirectory(), name);
  writeFiles(dir, { serve: probe });
  const output = path.join(temporaryDirectory(), `${name}.run`);
  await build({ input: dir, output, name, ...options });
  return output;
}

/** The bundle below /opt and its units, for a machine. */
async function installed(
  input: string,
  name: string,
  options: Partial<EngineOptions>,
): Promise<MachineFiles> {
  const units = temporaryDirectory();
  const program = `/opt/a b%n;$x/${name}.run`;
  await exportEngine({ input, systemd: units, program, name, ...options });
  const copies: Record<string, string> = { [program]: input };
  for (const file of readdirSync(units)) {
    const dir = file.endsWith(".conf") ? "/etc/sysusers.d" : "/etc/systemd/system";
    copies[`${dir}/${file}`] = path.join(units, file);
  }
  return { copies };
}

const merged = (all: readonly MachineFiles[]): MachineFiles => ({
  copies: Object.assign({}, ...all.map(({ copies }) => copies)),
  texts: {
    "opt/ask": ask,
    "etc/usual/environment": 'FROM_FILE="x y"\n',
    // What systemd keeps it to, without the runtime's own fence.
    "etc/declaredroot/environment": "FUSELAGE_SANDBOX=off\n",
  },
});

describe("services of systemd", () => {
  const test = skipUnless(...needs);
  let seen: Record<string, Facts>;
  let text: string;

  beforeAll(async () => {
    if (needs.some((need) => missing(need) !== undefined)) return;
    const socket = (name: string) => ({ sockets: [`/run/${name}.sock`] });
    const files = merged([
      await installed(await bundle("usual", {}), "usual", {
        sockets: ["/run/usual.sock", "8123", "127.0.0.1:8124/udp"],
        args: [hostile],
        env: [`V=${hostile}`],
        credentials: ["key:/etc/machine-id"],
      }),
      await installed(await bundle("fixed", { mountAt: "/run/fuselage/fixed" }), "fixed", {
        ...socket("fixed"),
      }),
      await installed(await bundle("copied", { writable: true }), "copied", {
        ...socket("copied"),
        ...{ notify: true, cpus: 2, memory: "256M" },
      }),
      await installed(await bundle("once", {}), "once", {}),
      await installed(
        await bundle("declared", {
          permissions: { fs: { home: "rw" }, net: "none", exec: "host" },
        }),
        "declared",
        { ...socket("declared"), notify: true },
      ),
      await installed(
        await bundle("fenced", {
          permissions: { fs: { home: "rw" }, net: { connect: [443] }, exec: "host" },
          mountAt: "/run/fuselage/fenced",
        }),
        "fenced",
        socket("fenced"),
      ),
      await installed(
        await rootBundle({}, { name: "rooted", args: ["/bin/sh", "-c"], cmd: ["id -u; ls /"] }),
        "rooted",
        { args: ["echo $0 $(id -u) $(cat /proc/1/comm 2>&1); echo new > /new; cat /new"] },
      ),
      await installed(
        await rootBundle(
          {},
          {
            ...{ name: "declaredroot", args: ["/bin/sh", "-c"], cmd: [], user: "web" },
            sandbox: ["net none"],
          },
        ),
        "declaredroot",
        {
          args: [
            "echo as $(id -u):$(id -g); ls /dev/sd* /dev/loop* /dev/kmsg; ifconfig -a | grep -c Link; exec sleep 1000",
          ],
        },
      ),
    ]);
    const script = `
      until_so() { timeout 100 sh -c "until $1; do sleep 0.1; done"; }
      # All that a unit has said, when a line is there: it comes by way of the journal.
      said() {
        until_so "journalctl --no-pager --output cat --unit $1 | grep -q '$2'"
        journalctl --no-pager --output cat --unit $1
      }
      systemd-sysusers
      systemctl start usual.socket fixed.socket copied.socket declared.socket fenced.socket
      for name in usual fixed copied declared fenced; do
        python3 /opt/ask /run/$name.sock $name
        echo "$name-pid $(systemctl show --property MainPID --value $name)"
      done
      for name in copied declared; do
        until_so "systemctl show --property StatusText $name.service | grep -q =."
        systemctl show --property StatusText $name.service
      done
      systemctl show --property MemoryMax,CPUQuotaPerSecUSec copied.service
      for name in usual fixed copied; do
        timeout 100 systemctl stop $name.service && echo "$name stopped $(ls /var/cache/private/$name/procdirs)"
        systemctl show --property Result $name.service
      done
      python3 /opt/ask /run/usual.sock again
      systemctl start once.service rooted.service
      said once.service '^{' | sed 's/^{/once {/'
      said rooted.service '^new$'
      echo "== declared root"; systemctl start declaredroot.service
      said declaredroot.service '^0$'; systemctl is-active declaredroot.service
      timeout 100 systemctl stop declaredroot.service; systemctl show --property Result --value declaredroot.service
      echo "== end"
      systemctl --no-pager list-units --failed
      journalctl --no-pager --output cat -u declared.service -u fenced.service
    `;
    const outcome = await onSystemd(files, script);
    text = outcome.stdout;
    expect(outcome, text).toMatchObject({ status: 0 });
    seen = answers(text);
  });

  test("take sockets over in the process that systemd started", () => {
    for (const name of ["usual", "fixed", "copied"]) {
      const { pid, env } = seen[name] ?? { env: {} };
      expect(text, name).toContain(`${name}-pid ${pid}\n`);
      expect(env["LISTEN_PID"], name).toBe(`${pid}`);
    }
    expect(seen["usual"]?.env["LISTEN_FDS"]).toBe("3");
    expect(seen["again"]?.env["LISTEN_PID"]).toBe(`${seen["again"]?.["pid"]}`);
  });

  test("are up when they say so, and have what they may have", () => {
    expect(text.match(/^StatusText=.*$/gm)).toEqual(["StatusText=listens", "StatusText=listens"]);
    expect(text).toContain("MemoryMax=268435456\n");
    expect(text).toContain("CPUQuotaPerSecUSec=2s\n");
  });

  test("get arguments and variables as they were given", () => {
    expect(seen["usual"]).toMatchObject({
      args: [hostile],
      env: { V: hostile, FROM_FILE: "x y", FUSELAGE_BUNDLE: "/opt/a b%n;$x/usual.run" },
    });
  });

  test("are a user of their own without rights, who keeps what he writes", () => {
    for (const name of ["usual", "fixed", "copied", "once"]) {
      expect(seen[name], name).toMatchObject({
        folder: `/var/lib/private/${name}`,
        effective: "0000000000000000",
        privileges: "1",
        etc: "Read-only file system",
        home: expect.stringMatching(/^(Permission denied|\[\])$/),
        processes: "False",
        packets: "Address family not supported by protocol",
      });
      expect(seen[name]?.["uid"], name).toBeGreaterThan(60_000);
    }
    expect(seen["usual"]?.["kept"]).toBe("x");
    expect(seen["again"]?.["kept"]).toBe("xx");
    expect(String(seen["usual"]?.["secret"]).trim()).toBe(
      readFileSync("/etc/machine-id", "utf8").trim(),
    );
  });

  test("find the files of the bundle in the way that it needs", () => {
    expect(seen["usual"]?.env["FUSELAGE_BUNDLE_DIR"]).toMatch(/^\/var\/cache\/private\/usual\//);
    expect(seen["fixed"]).toMatchObject({ fixed: true, written: "Read-only file system" });
    expect(seen["copied"]?.["written"]).toBe("3");
  });

  test("end when they are told to, and leave nothing of the run behind", () => {
    for (const name of ["usual", "fixed", "copied"]) {
      expect(text).toContain(`${name} stopped \nResult=success\n`);
    }
  });

  test("are fenced in by the runtime, too, where the app declares what it does", () => {
    for (const [name, like] of [
      ["declared", "usual"],
      ["fenced", "fixed"],
    ] as const) {
      expect(seen[name], name).toMatchObject({ other: "Permission denied" });
      expect(seen[like], like).toMatchObject({ other: "True" });
      expect(seen[name]?.env["LISTEN_PID"], name).toBe(`${seen[name]?.["pid"]}`);
    }
  });

  test("start an image as root directory, as a user of the machine", () => {
    expect(text).toMatch(/^\/bin\/sh [0-9]+ .*\nnew$/m);
  });

  test("start an image that declares what it does, and keep it to that", () => {
    const said = text.split("== declared root\n")[1]?.split("\n== end")[0];
    expect(said?.split("\n")).toEqual([
      "as 101:102",
      ...["sd*", "loop*", "kmsg"].map((one) => `ls: /dev/${one}: No such file or directory`),
      "ifconfig: socket: Address family not supported by protocol",
      ...["0", "active", "success"],
    ]);
  });

  test("none of them fails", () => {
    expect(text).toContain("0 loaded units listed.");
  });
});
