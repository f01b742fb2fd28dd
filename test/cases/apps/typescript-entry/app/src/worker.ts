import { parentPort } from "node:worker_threads";
import { where } from "@lib/place";

parentPort?.postMessage(`a worker beside ${where()}`);
