/** What a bundle's manifest says of a libc in its image: one line, for people and for programs. */

/** A libc that lies in the image. */
export interface LibcRecord {
  kind: "glibc" | "musl";
  /** "2.36" */
  version: string;
  /** "auto": the host's is used where it has all of `needs`. */
  mode: "auto" | "pack";
  /** Versions that the host's libc.so.6 must define to be used, "GLIBC_2.34". */
  needs: readonly string[];
  /** The host's dynamic linker, beside which its libc is looked for. */
  loader: string;
  /** Bytes that it adds to the image, before compression. */
  bytes: number;
  /** sha256 of the libc it was made of, hexadecimal. */
  sha256: string;
  /** Which build of it, as it says itself: "Debian GLIBC 2.36-9+deb12u14"; "" where it does not. */
  build: string;
}

/** `glibc 2.36, auto, needs GLIBC_2.34, loader /lib64/..., 3412345 bytes, sha256 ..., from Debian GLIBC ...` */
export function libcText(record: LibcRecord): string {
  const { kind, version, mode, needs, loader, bytes, sha256, build } = record;
  return [
    `${kind} ${version}`,
    mode,
    ...(needs.length > 0 ? [`needs ${needs.join(" ")}`] : []),
    `loader ${loader}`,
    `${bytes} bytes`,
    `sha256 ${sha256}`,
    ...(build === "" ? [] : [`from ${build}`]),
  ].join(", ");
}

const LINE =
  /^(glibc|musl) ([^,]+), (auto|pack)(?:, needs ([^,]*))?, loader (.+), ([0-9]{1,15}) bytes, sha256 ([0-9a-f]{64})(?:, from (.*))?$/s;

/** @returns undefined for a text that says it otherwise, as a later builder may */
export function parseLibc(text: string): LibcRecord | undefined {
  const [, kind, version = "", mode, needs = "", loader = "", bytes, sha256 = "", build = ""] =
    LINE.exec(text) ?? [];
  if (kind !== "glibc" && kind !== "musl") return undefined;
  if (mode !== "auto" && mode !== "pack") return undefined;
  const list = needs === "" ? [] : needs.split(" ");
  return { kind, version, mode, needs: list, loader, bytes: Number(bytes), sha256, build };
}
