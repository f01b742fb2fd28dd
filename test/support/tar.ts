/** Tar files made by hand: what no well-meaning program writes, too. */

export interface Member {
  name: string;
  type?: string;
  linkName?: string;
  data?: string | Buffer;
  /** In place of the length of `data`; a text goes there as it is. */
  size?: number | string;
  mode?: string;
}

const padded = (bytes: Buffer) =>
  Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);

export function member({ name, type = "0", linkName = "", data = "", ...given }: Member): Buffer {
  const bytes = Buffer.from(data);
  const header = Buffer.alloc(512);
  const size = given.size ?? bytes.length;
  header.write(name, 0, "latin1");
  header.write(given.mode ?? "0000644", 100);
  header.write("0000000", 108);
  header.write("0000000", 116);
  header.write(typeof size === "string" ? size : size.toString(8).padStart(11, "0"), 124, "latin1");
  header.write("00000000001", 136);
  header.write(type, 156, "latin1");
  header.write(linkName, 157, "latin1");
  header.write("ustar\x0000", 257, "latin1");
  return Buffer.concat([withSum(header), padded(bytes)]);
}

/** Writes the checksum of a header. */
export function withSum(header: Buffer): Buffer {
  header.write("        ", 148);
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

/** A record of a pax header. */
export function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return `${length}${rest}`;
}

export const pax = (...records: string[]) =>
  member({ name: "pax", type: "x", data: Buffer.from(records.join(""), "latin1") });

const end = Buffer.alloc(1024);

export const tarOf = (...members: (Member | Buffer)[]) =>
  Buffer.concat([...members.map((one) => (Buffer.isBuffer(one) ? one : member(one))), end]);
