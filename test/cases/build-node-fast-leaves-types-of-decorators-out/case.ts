import type { Case } from "../../support/case.ts";
import given from "../build-node-refuses-decorators-without-a-compiler/case.ts";

export default {
  files: given.files,
  args: [...given.args, "--bundle=fast"],
  stderr: /main\.ts: emitDecoratorMetadata is left out.*W_DECORATOR_TYPES/,
} satisfies Case;
