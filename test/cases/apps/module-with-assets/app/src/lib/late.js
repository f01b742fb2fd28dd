import path from "node:path";
import { fileURLToPath } from "node:url";

const dir = path.dirname(fileURLToPath(import.meta.url));

export const place = path.join(dir, "late.json");
export default await Promise.resolve("late");
