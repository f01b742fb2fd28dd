import type { Case } from "../../support/case.ts";

export default {
  files: { text: "neither an image nor anything like it\n" },
  args: ["doctor", "text"],
  code: "E_DOCTOR",
  stderr: /neither zip nor squashfs nor ELF nor base64 text/,
} satisfies Case;
