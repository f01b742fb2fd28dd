/** What engines are told of a bundle. */
import type { BundleFacts } from "../engines/engine.ts";
import { factsOf } from "../engines/facts.ts";
import * as errors from "../errors.ts";
import { sha256OfHandle } from "../host/digest.ts";
import { withImage } from "./inspect.ts";

/**
 * Digest, size and what the bundle says of itself, all of one file: another one may get its name meanwhile.
 *
 * @throws E_ENGINE_INPUT, E_EXPORT_INPUT, and what `inspect` throws
 */
export function engineFacts(input: string): Promise<BundleFacts> {
  return withImage(input, async ({ manifest, size, arch }, _, handle) => {
    if (manifest === undefined) {
      throw errors.engineInput(input, "is no bundle, and engines start bundles");
    }
    const sha256 = (await sha256OfHandle(handle, input)).toString("hex");
    return factsOf({ file: input, size, sha256, arch }, manifest);
  });
}
