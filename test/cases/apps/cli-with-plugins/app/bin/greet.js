#!/usr/bin/env node
import { readdir } from "node:fs/promises";

const folder = new URL("../plugins/", import.meta.url);
for (const name of (await readdir(folder)).sort()) {
  const { greet } = await import(new URL(name, folder).href);
  console.log(greet(process.argv[2]));
}
