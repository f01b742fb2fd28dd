import { assembleArgs } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  files: { "app.sfs": Buffer.concat([Buffer.from("sqsh"), Buffer.alloc(4092)]) },
  args: assembleArgs(),
  code: "E_IMAGE_UNSUPPORTED",
  stderr: /this is a big-endian squashfs image[\s\S]*pack it again/,
} satisfies Case;
