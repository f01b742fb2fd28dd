import { readFile } from "node:fs/promises";

export const text = readFile(new URL("../../assets/text.txt", import.meta.url), "utf8");
export const where = import.meta.url.split("/").slice(-4).join("/");
