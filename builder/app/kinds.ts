/** All kinds of app, and which one an input is of. */
import type { KindChoice } from "../config/kind-names.ts";
import * as errors from "../errors.ts";
import { elf } from "./elf/elf-kind.ts";
import { image } from "./image/image-kind.ts";
import type { DetectInput, Kind } from "./kind.ts";
import { node } from "./node/node-kind.ts";
import { plain } from "./plain/plain-kind.ts";

/** Asked in this order: the first that recognises an input takes it. The last takes any folder. */
const kinds: readonly Kind[] = [image, node, elf, plain];

/**
 * The kind of an input.
 *
 * @param wanted as it was asked for; "auto" and undefined: found
 * @throws E_OPTION_CONFLICT for a container image that is to be of another kind, E_KIND_UNKNOWN when no kind recognises a file
 */
export async function chooseKind(
  wanted: KindChoice | undefined,
  input: DetectInput,
): Promise<{ kind: Kind; why: string }> {
  if (wanted !== undefined && wanted !== "auto") {
    const kind = kinds.find(({ name }) => name === wanted);
    if (kind === undefined) throw errors.internal(new Error(`there is no kind ${wanted}`));
    if (input.image !== undefined && kind !== image) {
      throw errors.optionConflict(
        (name) => `${name("kind", wanted)}, and ${input.shown} is a container image`,
      );
    }
    return { kind, why: "as asked for" };
  }
  for (const kind of kinds) {
    const why = await kind.detect(input);
    if (why !== undefined) return { kind, why };
  }
  throw errors.kindUnknown(input.shown);
}
