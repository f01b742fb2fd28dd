/** A server of a volume, with a program of the test's in its place. */
import { once } from "node:events";
import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, vi } from "vitest";
import { VolumeServers } from "../../../../builder/vm/host/virtiofsd.ts";
import { skipUnless } from "../../../support/needs.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

/** Has a socket with a name at once, and listens to it when it is told to. */
const SERVER = `#!/usr/bin/env python3
import os, socket, sys, time
name = [word.split("=", 1)[1] for word in sys.argv if word.startswith("--socket-path=")][0]
server = socket.socket(socket.AF_UNIX)
server.bind(name)
while not os.path.exists(os.environ["GO"]):
    time.sleep(0.01)
server.listen(1)
time.sleep(600)
`;

skipUnless("python3")(
  "is there when somebody can connect to it, not when it has a name",
  async () => {
    const dir = temporaryDirectory();
    const program = path.join(dir, "virtiofsd");
    writeFileSync(program, SERVER);
    chmodSync(program, 0o755);
    const go = path.join(dir, "go");
    vi.stubEnv("GO", go);
    vi.stubEnv("TMPDIR", dir);
    const servers = new VolumeServers();
    try {
      const virtiofsd = { program, isRust: true, hasReadOnly: true };
      const volume = { source: dir, target: "/v", readOnly: false };
      let isStarted = false;
      const starting = servers.start(virtiofsd, [volume], new AbortController().signal);
      const started = starting.then((sockets) => {
        isStarted = true;
        return sockets;
      });
      const hasName = () =>
        readdirSync(dir, { recursive: true }).some((one) => `${one}`.endsWith("/v0"));
      await expect.poll(hasName).toBe(true);
      // It is looked at every few milliseconds.
      await setTimeout(200);
      expect(isStarted).toBe(false);
      writeFileSync(go, "");
      const [socket = ""] = await started;
      const connected = net.connect(socket);
      await once(connected, "connect");
      connected.destroy();
    } finally {
      vi.unstubAllEnvs();
      await servers.end();
    }
  },
);
