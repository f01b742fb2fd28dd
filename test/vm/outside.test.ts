/** What a machine has of the host: a terminal, ports, folders. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect } from "vitest";
import { cloudKernel, missing, skipUnless } from "../support/needs.ts";
import { root, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { busyboxBundle, freePort, PATIENCE, shell, shellCommand } from "../support/vm.ts";

let app: string;

beforeAll(async () => {
  if (missing("busybox") === undefined) app = await busyboxBundle();
});

skipUnless(
  "vm",
  "busybox",
  "python3",
)("a terminal: its size, a new one, Ctrl-C, and as it was", async () => {
  const script =
    'trap "echo winch; stty size" WINCH; trap "echo caught; exit 6" INT; tty; stty size; echo ready; while :; do sleep 0.1; done';
  const python = [path.join(root, "test/support/terminal-session.py"), process.execPath];
  const keys = ["wait ready", "size 40 120", "wait 40 120", "type \\x03", "wait caught"];
  const args = [...python, ...shellCommand(app, script)];
  const { stdout } = await run("python3", args, {
    input: keys.map((key) => `${key}\n`).join(""),
    timeout: PATIENCE,
  });
  expect(stdout).toContain("33 101");
  expect(stdout).toMatch(/winch\r\n40 120\r\n/);
  expect(stdout.trimEnd().split("\n").slice(-2)).toEqual(["status 6", "same"]);
});

skipUnless("vm", "busybox")("a published port leads in, and nothing leads out", async () => {
  const port = await freePort();
  const script =
    'mkdir -p /tmp/w; echo inside >/tmp/w/f; nc -w 2 10.0.2.2 1 </dev/null; echo "out $?"; httpd -f -p 80 -h /tmp/w & wait';
  const child = spawn(process.execPath, shellCommand(app, script, ["--publish", `${port}:80`]));
  const closed = once(child, "close");
  const text: string[] = [];
  child.stdout.setEncoding("utf8").on("data", (part: string) => text.push(part));
  let answer = "";
  while (answer === "" && child.exitCode === null) {
    answer = await fetch(`http://127.0.0.1:${port}/f`, { signal: AbortSignal.timeout(10_000) })
      .then((response) => response.text())
      .catch(() => "");
    if (answer === "") await sleep(200);
  }
  child.kill("SIGTERM");
  await closed;
  expect(answer).toBe("inside\n");
  expect(text.join("")).toBe("out 1\n");
});

skipUnless("vm", "busybox")("a port that is taken, before anything is started", async () => {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const { status, stderr } = await shell(app, "true", ["--publish", `${port}:80`]);
  server.close();
  expect([status, stderr]).toEqual([125, expect.stringContaining("[E_VM_PORT]")]);
  expect(stderr).toContain(`127.0.0.1:${port}`);
});

skipUnless(
  "vm",
  "busybox",
  "virtiofsd",
  "root",
)("volumes: one to change, one that nobody can change", async () => {
  const dir = temporaryDirectory();
  const [open, closed] = [path.join(dir, "a:b, c"), path.join(dir, "closed")];
  for (const folder of [open, closed]) {
    mkdirSync(folder);
    writeFileSync(path.join(folder, "f"), "of the host\n");
  }
  const script = [
    "cat /open/f /data/closed/f; echo new >/open/g; mkdir /open/d",
    "echo no >/data/closed/g; mount -o remount,rw /data/closed; echo no >/data/closed/g; rm /data/closed/f",
    "ls /data/closed",
  ].join("; ");
  const options = ["--volume", `${open}:/open`, "--volume", `${closed}:/data/closed:ro`];
  const { status, stdout } = await shell(app, script, options);
  expect([status, stdout]).toEqual([0, "of the host\nof the host\nf\n"]);
  expect(readdirSync(open).sort()).toEqual(["d", "f", "g"]);
  expect(readFileSync(path.join(open, "g"), "utf8")).toBe("new\n");
  expect(readdirSync(closed)).toEqual(["f"]);
});

skipUnless(
  "vm",
  "busybox",
  "virtiofsd",
  "cloudKernel",
  "root",
)("volumes: why neither way is open, and what is no matter of volumes", async () => {
  const dir = temporaryDirectory();
  const from = cloudKernel() ?? "";
  const release = path.basename(from).replace("vmlinuz-", "");
  mkdirSync(path.join(dir, "boot"), { recursive: true });
  const kernel = path.join(dir, "boot", path.basename(from));
  copyFileSync(from, kernel);
  const config = readFileSync(`/boot/config-${release}`, "utf8");
  const withOut = config.replace(/^(CONFIG_VIRTIO_FS)=.*$/m, "# $1 is not set");
  expect(withOut).not.toBe(config);
  writeFileSync(path.join(dir, "boot", `config-${release}`), withOut);
  const volume = ["--volume", `${dir}:/v`];
  const neither = await shell(app, "true", ["--kernel", kernel, ...volume]);
  expect([neither.status, neither.stderr]).toEqual([125, expect.stringContaining("[E_VM_VOLUME]")]);
  expect(neither.stderr).toMatch(/: by virtiofs: .*CONFIG_VIRTIO_FS.*; by 9p: .*NET_9P_VIRTIO/);
  const none = await shell(app, "true", ["--kernel", app, ...volume]);
  expect([none.status, none.stderr]).toEqual([125, expect.stringContaining("[E_VM_KERNEL")]);
  expect(none.stderr).not.toMatch(/virtiofs|9p/);
});
