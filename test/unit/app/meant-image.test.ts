/** Names of images that are mistyped, or without their start. */
import { expect, test } from "vitest";
import { meantImage } from "../../../builder/app/meant-image.ts";

test.each([
  ["dockr://nginx", "docker://nginx"],
  ["Docker://nginx", "docker://nginx"],
  ["ocii:images:1.0", "oci:images:1.0"],
  ["oci_archive:a.tar", "oci-archive:a.tar"],
  ["oci-archve:a.tar", "oci-archive:a.tar"],
  ["docker-achive:a.tar:nginx", "docker-archive:a.tar:nginx"],
  ["alpine:3.20", "docker://alpine:3.20"],
  ["ghcr.io/team/app:1", "docker://ghcr.io/team/app:1"],
  ["nginx", undefined],
  ["a/folder", undefined],
  ["https://example.org/a.tar", undefined],
  ["C:\\folder", undefined],
])("%s may have been meant to be %s", (text, meant) => {
  expect(meantImage(text)).toBe(meant);
});
