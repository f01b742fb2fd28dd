import type { Case } from "../../support/case.ts";
import { Layout, named } from "../../support/oci.ts";
import { tarOf } from "../../support/tar.ts";

export default {
  prepare(dir) {
    const layout = new Layout(`${dir}/images`);
    const image = (name: string) => named(layout.image([tarOf({ name })]), name);
    layout.index(image("one"), image("two"));
  },
  args: ["build", "oci:images", "-o", "out"],
  code: "E_OCI_TAG",
  stderr: /images: holds several images: expected one, two/,
} satisfies Case;
