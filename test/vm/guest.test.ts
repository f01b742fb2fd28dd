/** Process 1 of a virtual machine: what docs/vm-protocol.md promises, in machines of qemu's. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect } from "vitest";
import { build } from "../../builder/api/build.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { rootBundle } from "../support/root-image.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { runMachine } from "./support/machine.ts";

const test = skipUnless("machine", "busybox");

/** Status of wait(2). */
const exited = (code: number) => code << 8;

/** A bundle of a static busybox, which takes the applet as its first argument. */
async function busyboxBundle(options = {}): Promise<string> {
  const dir = temporaryDirectory();
  mkdirSync(path.join(dir, "tree/bin"), { recursive: true });
  copyFileSync("/usr/bin/busybox", path.join(dir, "tree/bin/busybox"));
  writeFileSync(path.join(dir, "tree/note"), "of the image\n");
  const output = path.join(dir, "busybox.run");
  await build({ input: path.join(dir, "tree"), output, entry: "bin/busybox", ...options });
  return output;
}

const shell = (script: string) => [
  ["arg", "sh"] as const,
  ["arg", "-c"] as const,
  ["arg", script] as const,
];

describe("process 1 of a virtual machine", () => {
  test("starts a bundle's program with its variables, and hands on its streams and its status", async () => {
    const file = await busyboxBundle({ env: ["GREETING=from ${FUSELAGE_BUNDLE_DIR}"] });
    const script = `B=$FUSELAGE_BUNDLE_DIR/bin/busybox
      echo "$GREETING"; echo "$CALLER"; $B cat "$FUSELAGE_BUNDLE_DIR/note"; $B pwd; $B hostname
      $B ip -o addr show | $B sed -n 's/.*inet \\([^ ]*\\).*/\\1/p'; $B ip route
      $B cat /etc/resolv.conf; $B date +%s
      echo "to stderr" >&2; $B touch "$FUSELAGE_TMPDIR/x" && $B ls /modules /init /fuselage.run 2>&1
      exit 42`;
    const began = Date.now() / 1000;
    const ended = await runMachine({
      disks: [file],
      needs: { entropy: true },
      records: [
        ...shell(script),
        ["env", "CALLER=a b\nc"],
        ["cwd", "/tmp"],
        ["hostname", "machine"],
        ["address", "10.0.2.15/24"],
        ["gateway", "10.0.2.2"],
        ["nameserver", "10.0.2.3"],
        ["seed", "5a".repeat(32)],
      ],
      more: ["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="],
    });
    expect(ended.failure, ended.console).toBe("");
    const lines = ended.out.toString().split("\n");
    const place = "/run/fuselage-starts/1/static/tree";
    expect(lines.slice(0, 7)).toEqual([
      ...[`from ${place}`, "a b", "c", "of the image", "/tmp", "machine", "127.0.0.1/8"],
    ]);
    expect(lines.slice(7, 10)).toEqual([
      "10.0.2.15/24",
      "default via 10.0.2.2 dev eth0 ",
      "10.0.2.0/24 dev eth0 scope link  src 10.0.2.15 ",
    ]);
    expect(lines[10]).toBe("nameserver 10.0.2.3");
    expect(Number(lines[11])).toBeGreaterThan(began - 2);
    expect(Number(lines[11])).toBeLessThan(Date.now() / 1000 + 2);
    expect(lines.slice(12).join("\n")).not.toMatch(/^\//m); // nothing of the initramfs is left
    expect(ended.err.toString()).toBe("to stderr\n");
    expect(ended.status).toBe(exited(42));
    expect(ended.resident).toBeGreaterThan(32);
    expect(ended.resident).toBeLessThanOrEqual(256);
    expect(ended.lines[0]).toBe("H 1");
  });

  test("carries ten megabytes through stdin and stdout, ends stdin and tells of a signal", async () => {
    const file = await busyboxBundle();
    const input = Buffer.alloc(10_000_000);
    for (let i = 0, x = 1; i < input.length; i++) {
      x = (x * 1103515245 + 12345) >>> 0;
      input[i] = x >>> 16;
    }
    const script = "$FUSELAGE_BUNDLE_DIR/bin/busybox cat; echo end >&2; kill -9 $$";
    const ended = await runMachine({
      disks: [file],
      records: shell(script),
      input,
      asPacked: true,
    });
    expect(ended.failure, ended.console).toBe("");
    expect(ended.out.equals(input)).toBe(true);
    expect(ended.err.toString()).toBe("end\n");
    expect(ended.status).toBe(9);
    const last = ended.lines.slice(-3).map((line) => line.slice(0, line.startsWith("X") ? 3 : 40));
    expect(last).toEqual(["A 0", `D ${input.length} 4`, "X 9"]);
  });

  test("passes signals on, and what nobody reads ends its writer", async () => {
    const file = await busyboxBundle();
    const script = `trap 'echo got; trap "" PIPE; echo more || exit 7' TERM; echo ready
      while :; do $FUSELAGE_BUNDLE_DIR/bin/busybox sleep 0.1; done`;
    const ended = await runMachine({
      disks: [file],
      records: shell(`${script}`),
      onOutput: (all, send) => {
        if (all === "ready\n") send("S 15");
        if (all.endsWith("more\n")) {
          send("C out");
          send("S 15");
        }
      },
    });
    expect(ended.failure, ended.console).toBe("");
    expect(ended.out.toString()).toContain("got\nmore\n");
    expect(ended.lines).toContain("A 2");
    expect(ended.status).toBe(exited(7));
  });

  test("gives the app a terminal, with its size and the signals of its keys", async () => {
    const file = await busyboxBundle();
    const script = `B=$FUSELAGE_BUNDLE_DIR/bin/busybox; $B tty; $B stty size
      trap '$B stty size' WINCH; trap 'echo interrupted; exit 3' INT; echo ready
      while :; do $B sleep 0.1; done`;
    const sent = new Set<string>();
    const once = (what: string, does: () => void) => {
      if (!sent.has(what)) does();
      sent.add(what);
    };
    const ended = await runMachine({
      disks: [file],
      records: [...shell(script), ["tty", "33 101"]],
      onOutput: (all, send) => {
        if (all.includes("ready")) once("window", () => send("W 40 120"));
        if (all.includes("40 120")) once("interrupt", () => send("S 2"));
      },
    });
    expect(ended.failure, ended.console).toBe("");
    expect(ended.out.toString()).toBe("/dev/pts/0\r\n33 101\r\nready\r\n40 120\r\ninterrupted\r\n");
    expect(ended.status).toBe(exited(3));
  });

  test("makes an image the root directory of its app, as its user and with its changes in memory", async () => {
    const file = await rootBundle(
      { "srv/web/page": "a page\n" },
      { user: "web", workdir: "/srv/web", cmd: ["cat", "page"], env: ["OF=image"] },
    );
    const script = `id; pwd; cat page; echo $OF $HOME; grep -c . /proc/mounts >/dev/null && ls -d /proc/1
      echo x > /tmp/x && cat /tmp/x; hostname; tty; cat /etc/hosts | head -n 1`;
    const ended = await runMachine({
      disks: [file],
      needs: { compression: "gzip" },
      records: [
        ["arg", "sh"],
        ["arg", "-c"],
        ["arg", script],
        ["run", "--hostname"],
        ["run", "inside"],
      ],
    });
    expect(ended.failure, ended.console).toBe("");
    expect(ended.out.toString().split("\n")).toEqual([
      "uid=101(web) gid=102(web) groups=44(log),50(staff)",
      ...["/srv/web", "a page", "image /srv/web", "/proc/1", "x", "inside", "not a tty"],
      ...["127.0.0.1 localhost ", ""],
    ]);
  });

  test("puts another image around a bundle", async () => {
    const file = await busyboxBundle();
    const root = await rootBundle({ "etc/around": "of the other\n" });
    const ended = await runMachine({
      disks: [file, root],
      needs: { compression: "gzip" },
      records: [...shell('cat /etc/around "$FUSELAGE_BUNDLE_DIR/note"; id -u'), ["root", "yes"]],
    });
    expect(ended.failure, ended.console).toBe("");
    expect(ended.out.toString()).toBe("of the other\nof the image\n0\n");
  });

  test("says what is wrong", async () => {
    const script = await busyboxBundle();
    const dynamic = temporaryDirectory();
    mkdirSync(path.join(dynamic, "tree"));
    copyFileSync("/usr/bin/env", path.join(dynamic, "tree/env"));
    const output = path.join(dynamic, "env.run");
    await build({ input: path.join(dynamic, "tree"), output, entry: "env", libc: "host" });
    const none = path.join(dynamic, "none");
    writeFileSync(none, Buffer.alloc(8192));
    const [libc, disk, record, volume] = await Promise.all([
      runMachine({ disks: [output] }),
      runMachine({ disks: [none] }),
      runMachine({ disks: [script], records: [["tty", "wide"]] }),
      runMachine({ disks: [script], records: [["volume", "9p tag rw /data"]] }),
    ]);
    expect(libc.failure).toMatch(
      /^E_ENTRY_INTERPRETER .*: env: the interpreter that it names does not exist here: \/lib64/,
    );
    expect(disk.failure).toBe("E_ELF_MALFORMED /dev/vda: not an ELF file");
    // Before there is a way to the host.
    expect(record.console).toContain('E_GUEST_START run file: unexpected record "tty=wide"');
    expect(volume.failure).toMatch(/^E_GUEST_START volume: \/data \(9p, tag tag\)/);
  });
});

test("what tests start is what is shipped", () => {
  expect(missing("machine")).toBeUndefined();
  expect(readFileSync("dist/runtime/x86_64/guest").length).toBeLessThanOrEqual(100 << 10);
});
