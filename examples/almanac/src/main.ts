#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { type Day, dayOf } from "./day.ts";

const sayings: string[] = JSON.parse(
  readFileSync(new URL("./sayings.json", import.meta.url), "utf8"),
);
const day: Day = dayOf(new Date(process.argv[2] ?? Date.now()));
const saying = sayings[day.number % sayings.length];
console.log(`${day.name}, day ${day.number} of ${day.year}: ${saying}`);
