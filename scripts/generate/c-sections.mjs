// runtime/generated/sections.h: what of an AppImage and of a bundle stands in its ELF file.

import { constantName, cString, define, header, xMacro } from "./c-text.mjs";
import { layoutOf } from "./layout.mjs";

/** @import {Spec} from "./types.mts" */

export function cSections(/** @type {Spec} */ { appimage, manifest }) {
  const { sections, magic, type, magicOffset } = appimage;
  const manifestRow = [cString(manifest.section), layoutOf(manifest.header).size];
  const reserved = sections.map(({ section, bytes }) => [cString(section), bytes]);
  return header("sections", [
    [
      define("APPIMAGE_MAGIC", `${cString(magic)} "\\${type}" /* and no NUL */`),
      define("APPIMAGE_MAGIC_OFFSET", `${magicOffset} /* bytes, in the ELF header */`),
    ].join("\n"),
    sections
      .map(({ name, section, summary }) =>
        define(`SECTION_${constantName(name)}`, `${cString(section)} /* ${summary} */`),
      )
      .join("\n"),
    "/* The section that every bundle fills in: X(name, bytes) */\n" +
      xMacro("MANIFEST_SECTION", [manifestRow]),
    "/* Those of AppImages and of signed files: X(name, bytes) */\n" +
      xMacro("RESERVED_SECTIONS", reserved),
  ]);
}
