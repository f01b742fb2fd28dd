/** An X server without a screen, and what is to be seen on it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { run } from "./process.ts";

export interface Picture {
  width: number;
  height: number;
  /** The colour at a place, 0xRRGGBB. */
  at(x: number, y: number): number;
}

export interface Screen {
  /** ":N" */
  display: string;
  take(): Promise<Picture>;
  /** Ends the server; programs lose their connection and end too. */
  stop(): Promise<void>;
}

/** Starts Xvfb with one screen of 640x480 on a number that it chooses. */
export async function openScreen(): Promise<Screen> {
  // Without -noreset it begins anew when its last client leaves, and has no room for the next one meanwhile.
  const args = ["-screen", "0", "640x480x24", "-nolisten", "tcp", "-ac", "-noreset"];
  args.push("-displayfd", "3");
  const server = spawn("Xvfb", args, { stdio: ["ignore", "ignore", "pipe", "pipe"] });
  const ended = once(server, "exit");
  const number = await Promise.race([
    once(server.stdio[3] as NodeJS.ReadableStream, "data").then(([bytes]) => `${bytes}`.trim()),
    ended.then(() => {
      throw new Error("Xvfb does not start");
    }),
  ]);
  const display = `:${number}`;
  return {
    display,
    async take() {
      return readDump(await dump(display));
    },
    async stop() {
      server.kill();
      await ended;
    },
  };
}

/** What xwd writes of the whole screen. */
async function dump(display: string): Promise<Buffer> {
  const command = 'xwd -silent -root -display "$0" | base64 -w0';
  const { status, stdout, stderr } = await run("sh", ["-c", command, display]);
  if (status !== 0 || stdout === "") throw new Error(`xwd: ${stderr}`);
  return Buffer.from(stdout, "base64");
}

/** Reads an XWD file of 32 bits for each pixel; its header is big-endian (XWDFile.h of X11). */
function readDump(bytes: Buffer): Picture {
  const field = (index: number) => bytes.readUInt32BE(index * 4);
  const [headerSize, width, height] = [field(0), field(4), field(5)];
  const [bigEndian, bitsPerPixel, bytesPerLine, colours] = [
    field(7),
    field(11),
    field(12),
    field(19),
  ];
  if (bitsPerPixel !== 32) throw new Error(`${bitsPerPixel} bits for each pixel`);
  const pixels = bytes.subarray(headerSize + colours * 12);
  return {
    width,
    height,
    at(x, y) {
      const place = y * bytesPerLine + x * 4;
      const value = bigEndian === 1 ? pixels.readUInt32BE(place) : pixels.readUInt32LE(place);
      return value & 0xffffff;
    },
  };
}
