/** Line 8 of the checklist, as a user has it: a small change is a small download. */
import { once } from "node:events";
import { readFileSync, renameSync, statSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { describe, expect } from "vitest";
import { type Files, writeFiles } from "../support/case.ts";
import { noise, prose } from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { bundle, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** Serves a folder, ranges too, and counts the bytes of the files that it hands out. */
async function serve<T>(dir: string, use: (url: string, sent: () => number) => Promise<T>) {
  let sent = 0;
  const server = createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url ?? "", "http://localhost").pathname);
    const bytes = readFileSync(path.join(dir, path.basename(name)));
    if (!name.endsWith(".zsync")) sent += answer(response, bytes, request.headers.range);
    else response.end(bytes);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as AddressInfo;
    return await use(`http://127.0.0.1:${port}`, () => sent);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Answers one request for a file. @returns bytes of the file in the answer */
function answer(response: ServerResponse, bytes: Buffer, header: string | undefined): number {
  const ranges = (header?.replace("bytes=", "").split(",") ?? []).map((range) => {
    const [start, end] = range.split("-").map(Number);
    return { start: start ?? 0, end: Math.min(end ?? 0, bytes.length - 1) };
  });
  const parts = ranges.map(({ start, end }) => bytes.subarray(start, end + 1));
  const place = ({ start, end }: { start: number; end: number }) =>
    `bytes ${start}-${end}/${bytes.length}`;
  const [first] = ranges;
  if (first === undefined) response.writeHead(200).end(bytes);
  else if (ranges.length === 1) {
    const headers = { "Content-Range": place(first), "Content-Length": parts[0]?.length ?? 0 };
    response.writeHead(206, headers).end(parts[0]);
  } else {
    const pieces = parts.flatMap((part, index) => {
      const range = `Content-Range: ${place(ranges[index] ?? first)}`;
      return [Buffer.from(`\r\n--next\r\n${range}\r\n\r\n`), part];
    });
    // The client knows no chunks.
    const body = Buffer.concat([...pieces, Buffer.from("\r\n--next--\r\n")]);
    const type = "multipart/byteranges; boundary=next";
    response.writeHead(206, { "Content-Type": type, "Content-Length": body.length }).end(body);
  }
  return first === undefined ? bytes.length : parts.reduce((sum, part) => sum + part.length, 0);
}

/** An app of about 6 MB in 130 files: large ones, and small ones that share blocks. */
function appFiles(): Files {
  const files: Files = { "app/bin/app": "#!/bin/sh\nexit 0\n" };
  for (let i = 0; i < 10; i++) files[`app/lib/lib${i}.so`] = noise(400_000 + i * 1000, `lib ${i}`);
  for (let i = 0; i < 120; i++) {
    files[`app/share/data/${i % 7}/file-${i}.txt`] = prose(3000 + i * 150, `text ${i}`);
  }
  return files;
}

/** Builds version 1, applies the change, builds version 2 and updates. @returns bytes by what */
async function update(change: Files) {
  const dir = temporaryDirectory();
  const build = async () => {
    const info = ["--update-info", "zsync|https://example.org/app.AppImage.zsync"];
    const line = ["build", "app", "-o", "app.AppImage", "--compression", "zstd:3", ...info];
    expect(await bundle(line, { cwd: dir })).toMatchObject({ status: 0 });
  };
  writeFiles(dir, appFiles());
  await build();
  renameSync(path.join(dir, "app.AppImage"), path.join(dir, "old.AppImage"));
  writeFiles(dir, change);
  await build();
  const wanted = readFileSync(path.join(dir, "app.AppImage"));
  const client = path.join(temporaryDirectory(), "new.AppImage");
  const sent = await serve(dir, async (url, count) => {
    const source = ["-i", path.join(dir, "old.AppImage"), "-o", client];
    const outcome = await run("zsync", [...source, `${url}/app.AppImage.zsync`], {
      env: { http_proxy: undefined, HTTP_PROXY: undefined },
    });
    expect(outcome).toMatchObject({ status: 0 });
    return count();
  });
  expect(readFileSync(client).equals(wanted)).toBe(true);
  const control = statSync(path.join(dir, "app.AppImage.zsync")).size;
  return { sent, whole: wanted.length, control };
}

const test = skipUnless("zsync");

describe("line 8: zsync fetches what changed and little more", () => {
  test("when nothing changed: nothing", async () => {
    const { sent, control, whole } = await update({});
    expect(sent).toBe(0);
    expect(control).toBeLessThan(whole / 250);
  });

  test("when one large file changed: that file", async () => {
    const changed = noise(403_000, "changed");
    const { sent, whole } = await update({ "app/lib/lib3.so": changed });
    expect(sent).toBeGreaterThan(changed.length);
    expect(sent - changed.length).toBeLessThan(whole / 50);
  });

  test("when one small file changed: the block that it shares with others", async () => {
    const text = prose(9000, "changed");
    const { sent, whole } = await update({ "app/share/data/3/file-38.txt": text });
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(whole * 0.06);
  });

  test("when a file was added: that file and the blocks that it moved others out of", async () => {
    const added = noise(300_000, "added");
    const { sent, whole } = await update({ "app/lib/lib3a.so": added });
    expect(sent).toBeGreaterThan(added.length);
    expect(sent - added.length).toBeLessThan(whole * 0.1);
  });

  test("when a small file was added", async () => {
    const { sent, whole } = await update({ "app/share/data/2/file-0.txt": prose(5000, "added") });
    expect(sent).toBeLessThan(whole * 0.1);
  });
});
