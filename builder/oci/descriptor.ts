/** What one document of an image says of another blob (OCI image specification, "Content Descriptors"). */
import type { Document } from "./json.ts";
import { checkedDigest, type Descriptor, type Platform } from "./store.ts";

/** @throws E_OCI_INVALID */
export function parseDescriptor(from: Document): Descriptor {
  const platform = from.object("platform");
  const artifactType = from.text("artifactType");
  return {
    mediaType: from.text("mediaType") ?? "",
    digest: checkedDigest(from.text("digest"), from.shown),
    size: from.needSize("size"),
    annotations: from.map("annotations"),
    ...(platform && { platform: parsePlatform(platform) }),
    ...(artifactType !== undefined && { artifactType }),
  };
}

function parsePlatform(from: Document): Platform {
  const variant = from.text("variant");
  return {
    os: from.text("os") ?? "",
    architecture: from.text("architecture") ?? "",
    ...(variant !== undefined && variant !== "" && { variant }),
  };
}
