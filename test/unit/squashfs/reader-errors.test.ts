/** Each class of the reader's errors has its code; no memory is not a corrupt image. */
import { afterEach, expect, test, vi } from "vitest";
import { addon } from "../../../builder/native/addon.ts";
import { openImage } from "../../../builder/squashfs/image-reader.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const failure = (imageError: string, errno = 0) =>
  Object.assign(new Error("words"), { imageError, errno, fault: "inode 7", path: "a/b" });

function reader(thrown: Error) {
  const next = () => Promise.reject(thrown);
  vi.spyOn(addon(), "openImage").mockReturnValue({
    facts: {},
    walk: () => next,
    read: next,
    extract: next,
    close: () => {},
  } as unknown as ReturnType<ReturnType<typeof addon>["openImage"]>);
  return openImage(0, 0, "image.sfs");
}

const entry = { path: "a/b", ref: 1 } as unknown as Parameters<
  ReturnType<typeof openImage>["read"]
>[0];

for (const [imageError, code] of [
  ["corrupt", "E_IMAGE_CORRUPT"],
  ["truncated", "E_IMAGE_TRUNCATED"],
  ["missing", "E_IMAGE_MISSING"],
  ["unsupported", "E_IMAGE_UNSUPPORTED"],
  ["unreadable", "E_FILE_UNREADABLE"],
  ["memory", "E_OUT_OF_MEMORY"],
] as const) {
  test(`${imageError} is ${code} to each who asks`, async () => {
    const image = reader(failure(imageError, 5));
    await expect(image.list()).rejects.toMatchObject({ code });
    await expect(image.read(entry, 0, new Uint8Array(1))).rejects.toMatchObject({ code });
    await expect(image.extract("/nonexistent")).rejects.toMatchObject({ code });
  });
}

test("memory that the addon itself has not got is E_OUT_OF_MEMORY too", async () => {
  const thrown = Object.assign(new Error("x"), {
    kind: "memory",
    errno: 0,
    step: "what was read",
    path: "",
  });
  await expect(reader(thrown).list()).rejects.toMatchObject({ code: "E_OUT_OF_MEMORY" });
});

test("what the destination refuses is no fault of the image", async () => {
  await expect(reader(failure("", 28)).extract("/out")).rejects.toMatchObject({
    code: "E_EXTRACT_FAILED",
    path: "/out/a/b",
  });
});
