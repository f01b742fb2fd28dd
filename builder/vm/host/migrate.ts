/** QEMU's state to a file and back. */
import type { FileHandle } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as errors from "../../errors.ts";
import { removeTemporary, workFolder } from "../../host/temporary.ts";
import type { Qmp } from "./qmp.ts";

/** How often QEMU is asked how far it is, ms. */
const LOOK = 5;
/** Bytes a second: none that would be met. */
const UNLIMITED = 2 ** 50;

/** Stops the machine's processors. */
export const stopMachine = (qmp: Qmp): Promise<unknown> => qmp.execute("stop");

/**
 * Appends the state of a stopped machine to a file. It comes through a socket: QEMU takes no descriptor for this
 * that it was started with, and what it would open by name is a shell's command.
 *
 * @returns bytes of the state
 * @throws E_VM_START, E_TMPDIR, and what the system says of the file
 */
export async function saveState(qmp: Qmp, handle: FileHandle): Promise<number> {
  const folder = workFolder();
  const listener = net.createServer();
  try {
    const socket = path.join(folder, "state");
    await new Promise<void>((resolve, reject) => {
      listener.once("error", reject).listen(socket, resolve);
    });
    const written = new Promise<number>((resolve, reject) => {
      listener.once("connection", (state) => append(state, handle).then(resolve, reject));
    });
    written.catch(() => {});
    await qmp.execute("migrate-set-parameters", { "max-bandwidth": UNLIMITED });
    await qmp.execute("migrate", { uri: `unix:${socket}` });
    await Promise.race([saved(qmp), written]);
    await saved(qmp);
    return await written;
  } finally {
    listener.close();
    removeTemporary(folder);
  }
}

async function append(state: net.Socket, handle: FileHandle): Promise<number> {
  let bytes = 0;
  for await (const part of state as AsyncIterable<Buffer>) {
    await handle.writeFile(part);
    bytes += part.length;
  }
  return bytes;
}

/** Waits until QEMU has sent all. */
async function saved(qmp: Qmp): Promise<void> {
  for (;;) {
    const info = await qmp.execute<{ status?: string; "error-desc"?: string }>("query-migrate");
    if (info.status === "completed") return;
    if (info.status === "failed" || info.status === "cancelled") {
      const actual = info["error-desc"] ?? info.status;
      throw errors.vmStart("QEMU did not save the machine", { actual });
    }
    await sleep(LOOK);
  }
}

/** Waits until QEMU has read the state. @throws E_VM_START when it refuses it and ends */
export async function stateRead(qmp: Qmp): Promise<void> {
  while ((await qmp.execute<{ status: string }>("query-status")).status === "inmigrate") {
    await sleep(LOOK);
  }
}

/** Lets the processors go on. */
export const goOn = (qmp: Qmp): Promise<unknown> => qmp.execute("cont");
