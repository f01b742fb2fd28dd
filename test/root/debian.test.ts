/** Servers and tools of a real distribution, in its own root directory, started by an ordinary user. */
import { mkdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { beforeAll, describe, expect, vi } from "vitest";
import { DEBIAN_TIMEOUT, debianBundle } from "../support/debian-image.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { startRoot, withRange } from "../support/root-image.ts";
import { userDirectory } from "../support/temporary.ts";

const needs = [
  "root",
  "userns",
  "fuse",
  "mksquashfs",
  "debian",
  "debootstrap",
  "newuidmap",
] as const;

let file: string;
beforeAll(async () => {
  if (needs.every((need) => missing(need) === undefined)) file = await debianBundle();
}, DEBIAN_TIMEOUT);

/** A port that nobody has at the moment. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

const user = { title: "", root: false };
const timeout = 300_000;
vi.setConfig({ testTimeout: timeout });

describe("a Debian as root directory, of an ordinary user,", () => {
  const test = skipUnless(...needs);
  const start = (options: string[], script: string, home = userDirectory(), env = {}) =>
    startRoot(user, file, options, ["sh", "-ec", script], home, { timeout, env });

  test("serves a page by nginx, which believes that it is root", async () => {
    const port = await freePort();
    const script = `sed -i 's/listen 80 default_server/listen ${port}/; /::/d' /etc/nginx/sites-enabled/default
      nginx -g 'daemon off;' & server=$!
      curl -s --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:${port}/ | grep title
      kill $server; wait $server`;
    const outcome = await start([], script);
    expect(outcome).toMatchObject({ status: 0 });
    expect(outcome.stdout).toContain("<title>Welcome to nginx!</title>");
    const plain = await start(["--no-fake"], "nginx");
    expect(plain.status).not.toBe(0);
    expect(plain.stderr).toContain("chown");
  });

  test("answers by redis", async () => {
    const port = await freePort();
    const script = `redis-server --port ${port} --save '' > /tmp/log & server=$!
      until redis-cli -p ${port} ping; do sleep 0.1; done; kill $server; wait $server`;
    expect((await start([], script)).stdout).toContain("PONG");
  });

  test("initialises a postgres and asks it, as postgres", async () => {
    const script = `PATH=/usr/lib/postgresql/15/bin:$PATH; initdb -D /tmp/pg >/tmp/log
      pg_ctl -D /tmp/pg -o '-p ${await freePort()} -k /tmp -c listen_addresses=' -w -l /tmp/log start >/dev/null
      psql -h /tmp -p $(sed -n 4p /tmp/pg/postmaster.pid) -d postgres -tAc 'select 6*7'
      pg_ctl -D /tmp/pg -w stop >/dev/null`;
    expect(await start(["-u", "postgres"], script)).toMatchObject({ status: 0, stdout: "42\n" });
    const asRoot = await start([], script);
    expect(asRoot.stderr).toContain("cannot be run as root");
  });

  test("runs a script of python from the working directory", async () => {
    const home = userDirectory();
    const dir = path.join(home, "project");
    mkdirSync(dir);
    writeFileSync(path.join(dir, "say.py"), "import os\nprint(os.getcwd(), os.getuid())\n");
    const args = ["python3", "say.py"];
    const outcome = await startRoot(user, file, ["-u", "1000:1000"], args, home, { cwd: dir });
    expect(outcome).toMatchObject({ status: 0, stdout: `${dir} 1000\n` });
  });

  test("says of chown and setuid what it can", async () => {
    const faked = "chown 33:33 /etc/issue && su postgres -s /bin/sh -c 'id -u'";
    expect(await start([], faked)).toMatchObject({ status: 0, stdout: "0\n" });
    expect((await start(["--no-fake"], faked)).status).not.toBe(0);
  });

  test("installs a package by apt, with --range and --persist", async () => {
    const home = userDirectory();
    const ranged = (script: string) =>
      withRange(
        "700000:65536",
        [file, "--bundle-run", "--range", "--persist", "~/kept", "--", "sh", "-ec", script],
        home,
        { timeout },
      );
    const install = "apt-get update -q && apt-get install -y -q hello";
    const installed = await ranged(`{ ${install}; } >&2; hello`);
    expect(installed).toMatchObject({ status: 0, stdout: "Hello, world!\n" });
    expect(await ranged("hello")).toMatchObject({ status: 0, stdout: "Hello, world!\n" });
    const owners = await ranged(
      "stat -c %U /var/lib/postgresql; su postgres -s /bin/sh -c 'id -un'",
    );
    expect(owners.stdout).toBe("postgres\npostgres\n");
    const [command, ...options] = [file, "--bundle-run", "--persist", "~/kept", "--persist-rm"];
    expect(await withRange("700000:65536", [command as string, ...options], home)).toMatchObject({
      status: 0,
      stderr: "",
    });
  });

  test("installs a package by apt without a range, by the fake", async () => {
    const script = "{ apt-get update -q && apt-get install -y -q hello; } >&2; hello";
    expect((await start([], script)).stdout).toBe("Hello, world!\n");
  });
});
