/** Icons: what a file is by its first bytes, and PNG made of it where one is needed. */
import type { Resvg, ResvgRenderOptions } from "@resvg/resvg-js";
import * as errors from "../errors.ts";

type IconFormat = "png" | "svg" | "xpm" | "jpeg" | "gif" | "webp";

export interface Icon {
  format: IconFormat;
  /** Pixels; undefined where the file does not say. */
  size: { width: number; height: number } | undefined;
}

/** Width and height of the PNG that file managers show, pixels. */
export const DIR_ICON_SIZE = 256;

/** The largest icon that a theme has a folder for; larger ones are made smaller. Pixels. */
export const MAX_ICON_SIZE = 512;

/** Larger than any icon: a renderer would take memory by it. Bytes, pixels. */
const MAX_ICON_BYTES = 16 << 20;
const MAX_PIXELS = 8192;

/**
 * What an icon file is.
 *
 * @param file name for messages
 * @throws E_ICON_FORMAT when it is no image of a known format, or larger than any icon
 */
export function identifyIcon(bytes: Buffer, file: string): Icon {
  if (bytes.length > MAX_ICON_BYTES) {
    throw errors.iconFormat(file, "it is too large", `${bytes.length} bytes`);
  }
  const png = pngSize(bytes);
  if (png !== undefined) {
    if (png.width === 0 || png.height === 0 || Math.max(png.width, png.height) > MAX_PIXELS) {
      throw errors.iconFormat(file, "its size is none of an icon", `${png.width}x${png.height}`);
    }
    return { format: "png", size: png };
  }
  const format = formatOf(bytes);
  if (format !== undefined) return { format, size: undefined };
  const start = bytes.toString("hex", 0, Math.min(bytes.length, 8));
  const actual = bytes.length === 0 ? "an empty file" : `a file that starts with bytes ${start}`;
  throw errors.iconFormat(file, "it is no image", actual);
}

const PNG_MAGIC = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");

function pngSize(bytes: Buffer): { width: number; height: number } | undefined {
  if (!bytes.subarray(0, 8).equals(PNG_MAGIC) || bytes.toString("latin1", 12, 16) !== "IHDR") {
    return undefined;
  }
  if (bytes.length < 24) return undefined;
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

function formatOf(bytes: Buffer): IconFormat | undefined {
  const head = bytes.toString("latin1", 0, 4096);
  if (head.startsWith("\xff\xd8\xff")) return "jpeg";
  if (/^GIF8[79]a/.test(head)) return "gif";
  if (head.startsWith("RIFF") && head.startsWith("WEBP", 8)) return "webp";
  if (head.startsWith("/* XPM */")) return "xpm";
  const text = head.replace(/^\xef\xbb\xbf/, "").trimStart();
  return text.startsWith("<") && /<(?:[\w-]+:)?svg[\s>]/.test(text) ? "svg" : undefined;
}

const mimeTypes = {
  svg: "svg+xml",
  png: "png",
  jpeg: "jpeg",
  gif: "gif",
} as const;

/**
 * The icon as a square PNG of `side` pixels, transparent around an image that is not square.
 *
 * Fonts of the machine are left out, so that the same icon gives the same bytes everywhere.
 *
 * @throws E_ICON_FORMAT when it cannot be drawn
 */
export async function renderIcon(bytes: Buffer, file: string, side: number): Promise<Buffer> {
  const { format, size } = identifyIcon(bytes, file);
  if (format === "xpm" || format === "webp") {
    const actual = `a file of format ${format}, of which no PNG can be made here`;
    throw errors.iconFormat(file, "it cannot be converted", actual);
  }
  const Renderer = await loadRenderer();
  try {
    // Of a broken picture inside another the renderer says nothing, of a broken one itself it does.
    if (format === "svg") new Renderer(bytes, drawing);
    let picture: { type: string; bytes: Buffer } = { type: mimeTypes[format], bytes };
    // It samples few points of a large picture; halves are means of all of them.
    let wide = Math.max(size?.width ?? 0, size?.height ?? 0);
    for (; wide > 2 * side; wide = Math.ceil(wide / 2)) {
      picture = { type: "png", bytes: draw(Renderer, picture, Math.ceil(wide / 2)) };
    }
    return draw(Renderer, picture, side);
  } catch (cause) {
    throw errors.iconFormat(file, "it cannot be drawn", (cause as Error).message);
  }
}

type Renderer = typeof Resvg;

/** Loaded when an icon is to be drawn: most builds need none. */
async function loadRenderer(): Promise<Renderer> {
  try {
    return (await import("@resvg/resvg-js")).Resvg;
  } catch (cause) {
    throw errors.iconRenderer(cause);
  }
}

const drawing: ResvgRenderOptions = { font: { loadSystemFonts: false }, logLevel: "off" };

/**
 * Draws a picture into a square, as a part of an SVG of that size. There it also cannot refer to
 * files of this machine.
 */
function draw(
  Renderer: Renderer,
  { type, bytes }: { type: string; bytes: Buffer },
  side: number,
): Buffer {
  const size = `width="${side}" height="${side}"`;
  const link = `data:image/${type};base64,${bytes.toString("base64")}`;
  const frame = `<svg xmlns="http://www.w3.org/2000/svg" ${size}><image ${size} href="${link}"/></svg>`;
  const drawn = new Renderer(frame, drawing).render();
  if (!drawn.pixels.some((byte) => byte !== 0)) throw new Error("nothing of it is to be seen");
  return drawn.asPng();
}
