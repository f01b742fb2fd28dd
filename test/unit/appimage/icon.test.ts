import { inflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { identifyIcon, renderIcon } from "../../../builder/appimage/icon.ts";

const svg = (width: number, height: number) =>
  Buffer.from(
    `<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg" ` +
      `viewBox="0 0 ${width} ${height}"><rect width="${width}" height="${height}" fill="#f00"/></svg>`,
  );

const sizeOf = (png: Buffer) => [png.readUInt32BE(16), png.readUInt32BE(20)];

/** Alpha of the pixel in the middle of each row of an RGBA PNG without interlacing. */
function rows(png: Buffer): number[] {
  const [width = 0, height = 0] = sizeOf(png);
  expect([png[24], png[25], png[28]]).toEqual([8, 6, 0]);
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString("latin1", at + 4, at + 8) !== "IDAT") continue;
    parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  const raw = inflateSync(Buffer.concat(parts));
  const line = 1 + width * 4;
  const above = Buffer.alloc(line);
  return Array.from({ length: height }, (_, y) => {
    const row = raw.subarray(y * line, (y + 1) * line);
    for (let i = 1; i < line; i++) {
      const [left, up, corner] = [i > 4 ? row[i - 4] : 0, above[i], i > 4 ? above[i - 4] : 0];
      row[i] = ((row[i] ?? 0) + predicted(row[0] ?? 0, left ?? 0, up ?? 0, corner ?? 0)) & 255;
    }
    row.copy(above);
    return row[1 + (width >> 1) * 4 + 3] ?? -1;
  });
}

/** The filters of PNG. */
function predicted(filter: number, left: number, up: number, corner: number): number {
  if (filter < 4) return [0, left, up, (left + up) >> 1][filter] ?? 0;
  const guess = left + up - corner;
  const distance = [left, up, corner].map((value) => Math.abs(guess - value));
  const least = Math.min(...distance);
  return [left, up, corner][distance.indexOf(least)] ?? 0;
}

describe("an icon", () => {
  test("is known by its first bytes", async () => {
    const png = await renderIcon(svg(4, 4), "a.svg", 16);
    expect(identifyIcon(png, "a")).toEqual({ format: "png", size: { width: 16, height: 16 } });
    expect(identifyIcon(svg(1, 1), "a").format).toBe("svg");
    expect(identifyIcon(Buffer.from("\xff\xd8\xff\xe0", "latin1"), "a").format).toBe("jpeg");
    expect(identifyIcon(Buffer.from("/* XPM */"), "a").format).toBe("xpm");
    for (const other of ["", "text", "<html><p>no</p></html>", "\x89PNG\r\n\x1a\n"]) {
      const bytes = Buffer.from(other, "latin1");
      expect(() => identifyIcon(bytes, "a")).toThrow(
        expect.objectContaining({ code: "E_ICON_FORMAT" }),
      );
    }
  });

  test("is drawn in the middle of a square, whatever its shape", async () => {
    const wide = await renderIcon(svg(40, 20), "a.svg", 64);
    expect(sizeOf(wide)).toEqual([64, 64]);
    const alpha = rows(wide);
    expect([alpha[8], alpha[20], alpha[32], alpha[44], alpha[56]]).toEqual([0, 255, 255, 255, 0]);
  });

  test("of PNG becomes smaller or larger, and keeps its shape", async () => {
    const large = await renderIcon(svg(40, 20), "a.svg", 1000);
    for (const side of [16, 100, 999, 1024]) {
      const png = await renderIcon(large, "a.png", side);
      expect(sizeOf(png)).toEqual([side, side]);
      const alpha = rows(png);
      expect([alpha[0], alpha[side >> 1], alpha[side - 1]]).toEqual([0, 255, 0]);
    }
  });

  test("of other formats becomes a PNG where the renderer knows them", async () => {
    const gif = Buffer.from("R0lGODlhAQABAIAAAP8AAP8AACwAAAAAAQABAAACAkQBADs=", "base64");
    expect(rows(await renderIcon(gif, "a.gif", 32))[16]).toBe(255);
    const webp = Buffer.from("RIFF\0\0\0\0WEBPVP8 ", "latin1");
    await expect(renderIcon(webp, "a.webp", 32)).rejects.toMatchObject({ code: "E_ICON_FORMAT" });
  });

  test("gives the same bytes every time", async () => {
    const [one, two] = await Promise.all([1, 2].map(() => renderIcon(svg(3, 7), "a.svg", 256)));
    expect(one?.equals(two as Buffer)).toBe(true);
  });

  test.each([
    ["of nothing", '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>'],
    ["that breaks off", '<svg xmlns="http://www.w3.org/2000/svg"><rect'],
  ])("%s is refused", async (_, text) => {
    const drawing = renderIcon(Buffer.from(text), "a.svg", 64);
    await expect(drawing).rejects.toMatchObject({ code: "E_ICON_FORMAT", path: "a.svg" });
  });
});
