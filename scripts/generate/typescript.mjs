// builder/generated/spec.ts: what the builder shares with the runtime, the docs and the help texts.

import { configKeys } from "./config-schema.mjs";
import { aliasHelp, commandHelp, programHelp } from "./help.mjs";
import { layoutOf, offsetsOf } from "./layout.mjs";
import { optionRules } from "./option-rules.mjs";
import { defaultExit, notice } from "./spec.mjs";
import { mountTypes } from "./strategies.mjs";

export function typescript({
  version,
  errors,
  manifest,
  options,
  hostLibraries,
  strategies,
  machines,
  names,
  squashfs,
  appimage,
  addon,
}) {
  const byName = (list) => Object.fromEntries(list.map((item) => [item.name, item.value]));
  const value = (name, data) =>
    `export const ${name} = ${JSON.stringify(data, null, 2)} as const;\n`;
  const catalogue = Object.fromEntries(
    errors
      .filter((error) => error.raisedBy.includes("builder"))
      .map(({ code, exit, summary, hint }) => [
        code,
        { exit: exit?.builder ?? defaultExit.builder, summary, hint },
      ]),
  );
  const { tags, recordFlags, optionWords, header, recordHeader, ...numbers } = manifest;
  return [
    `// ${notice}\n`,
    `/** Version of this package. */\n${value("version", version)}`,
    "/** Failures of the builder by code; `exit` is the exit status of `bundle`. */\n" +
      value("errorCatalogue", catalogue),
    "/** Codes of failures: docs/errors.md. */\nexport type ErrorCode = keyof typeof errorCatalogue;\n",
    value("manifestFormat", {
      ...numbers,
      headerBytes: layoutOf(header).size,
      recordHeaderBytes: layoutOf(recordHeader).size,
    }),
    "/** Where the fields are: bytes from the start of the manifest, and of a record. */\n" +
      value("manifestHeader", offsetsOf(header)),
    value("manifestRecord", offsetsOf(recordHeader)),
    value("manifestTags", byName(tags)),
    value(
      "criticalTags",
      tags.filter((tag) => tag.critical).map((tag) => tag.value),
    ),
    value(
      "repeatedTags",
      tags.filter((tag) => tag.repeated).map((tag) => tag.value),
    ),
    value("manifestFlags", byName(recordFlags)),
    value("optionWords", byName(optionWords)),
    "/** Ways to make an image visible, in the order in which they are tried. */\n" +
      value(
        "strategies",
        strategies.map(({ name }) => name),
      ),
    "/** One of them. */\nexport type Strategy = (typeof strategies)[number];\n",
    ...Object.entries(mountTypes(strategies)).map(([name, types]) => value(name, types)),
    "/** Libraries that are never packed; docs/libraries.md lists them. */\n" +
      value("hostLibraries", hostLibraries),
    "/** The squashfs format; `superblock` has offsets of fields, bytes. */\n" +
      value("squashfsFormat", {
        magic: squashfs.magic,
        bigEndianMagic: squashfs.bigEndianMagic,
        major: squashfs.major,
        minor: squashfs.minor,
        metadataBytes: squashfs.metadataBytes,
        superblock: offsetsOf(squashfs.superblock),
        flags: byName(squashfs.flags),
        compressors: byName(squashfs.compressors),
        inodeTypes: byName(squashfs.inodeTypes),
        extendedType: squashfs.extendedType,
      }),
    "/** What extraction leaves out unless it is asked for, and where reports count it. */\n" +
      value(
        "extractKinds",
        squashfs.extractKinds.map(({ name }) => name),
      ),
    value(
      "extractCounts",
      Object.fromEntries(
        [...squashfs.extractKinds, squashfs.refusedXattrs].map(({ name }, index) => [name, index]),
      ),
    ),
    "/** Rows that cross the border to the addon: columns by name, and how many there are. */\n" +
      value(
        "addonRows",
        Object.fromEntries(
          addon.rows.map(({ name, columns }) => [
            name,
            {
              ...Object.fromEntries(columns.map((column, index) => [column, index])),
              columns: columns.length,
            },
          ]),
        ),
      ),
    "/** In a column of such a row: none. */\n" + value("addonNone", addon.none),
    value(
      "addonFailures",
      addon.failures.map(({ name }) => name),
    ),
    "/** What of an AppImage stands in its ELF file. */\n" +
      value("appimageFormat", {
        magic: appimage.magic,
        type: appimage.type,
        magicOffset: appimage.magicOffset,
        sections: Object.fromEntries(appimage.sections.map(({ name, section }) => [name, section])),
      }),
    "/** Machines that bundles are made for: names, e_machine. */\n" +
      value(
        "machines",
        machines.built.map(({ name, aliases, node, elfMachine }) => ({
          name,
          aliases,
          node,
          elfMachine,
        })),
      ),
    "/** Machines that are only known by name. */\n" + value("otherMachines", machines.others),
    "/** Keys of bundle.config.*, with their JSON schema, and those whose values are paths. */\n" +
      value("configKeys", configKeys(options)),
    "/** What each option of a command takes, by its key in the library. */\n" +
      value("optionRules", optionRules(options)),
    value("compressionLevels", options.rules.compression.levels),
    "/** Well-known paths, ours and the system's. */\n" + value("paths", byName(names.paths)),
    "/** Endings of archives' names, and what such a file holds. */\n" +
      value("archiveEndings", names.archiveEndings),
    value("outputEndings", names.outputEndings),
    "/** Environment variables that the builder reads, sets or names. */\n" +
      value(
        "environment",
        Object.fromEntries(
          options.environment
            .filter(({ sources }) => sources.includes("builder"))
            .map(({ name }) => [name, name]),
        ),
      ),
    value("program", options.program),
    value("globalOptions", options.global),
    value("commands", options.commands),
    value("alias", options.alias),
    value("runnerOptions", options.runner.options),
    value("programHelp", programHelp(options)),
    value("aliasHelp", aliasHelp(options)),
    value(
      "commandHelp",
      Object.fromEntries(options.commands.map((c) => [c.name, commandHelp(options, c)])),
    ),
  ].join("\n");
}
