import { type Case, smallApp } from "../../support/case.ts";

const bytes = Buffer.alloc(300_000, "text");
const flipped = Buffer.from(bytes);
flipped[200_000] = (flipped[200_000] ?? 0) ^ 1;

export default {
  files: { ...smallApp, "one/file": bytes, "two/file": flipped, "one/same": "", "two/same": "" },
  args: ["diff", "one", "two", "--no-times"],
  status: 1,
  stdout: /^~ \/file: sha256 [0-9a-f]{64} -> [0-9a-f]{64}\n$/,
} satisfies Case;
