import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { fail, where } from "@lib/place";

enum Answer {
  Everything = 42,
}

const data = readFileSync(new URL("./lib/data.txt", import.meta.url), "utf8").trim();
console.log(Answer.Everything, where(), data);
const worker = new Worker(new URL("./worker.js", import.meta.url));
worker.on("message", (message: string) => {
  console.log(message);
  fail();
});
