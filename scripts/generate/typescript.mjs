// builder/generated/spec.ts: what the builder shares with the runtime, the docs and the help texts.

import { configKeys } from "./config-schema.mjs";
import { guestValue } from "./guest.mjs";
import { aliasHelp, commandHelp, programHelp } from "./help.mjs";
import { layoutOf, offsetsOf } from "./layout.mjs";
import { optionRules } from "./option-rules.mjs";
import { defaultExit, notice } from "./spec.mjs";
import { mountTypes } from "./strategies.mjs";

/** @import {AddonRow, ManifestTag, Named, Spec} from "./types.mts" */

const value = (/** @type {string} */ name, /** @type {unknown} */ data) =>
  `export const ${name} = ${JSON.stringify(data, null, 2)} as const;\n`;

/**
 * The same with a line above it that says what it is.
 * @param {string} comment
 * @param {string} name
 * @param {unknown} data
 */
const described = (comment, name, data) => `/** ${comment} */\n${value(name, data)}`;

const byName = (/** @type {Named<string | number>[]} */ list) =>
  Object.fromEntries(list.map((item) => [item.name, item.value]));
const namesOf = (/** @type {{name: string}[]} */ list) => list.map(({ name }) => name);

function errorParts(/** @type {Spec} */ { errors }) {
  const catalogue = errors
    .filter((error) => error.raisedBy.includes("builder"))
    .map(({ code, exit, summary, hint }) => [
      code,
      { exit: exit?.builder ?? defaultExit.builder, summary, hint },
    ]);
  return [
    described(
      "Failures of the builder by code; `exit` is the exit status of `bundle`.",
      "errorCatalogue",
      Object.fromEntries(catalogue),
    ),
    "/** Codes of failures: docs/errors.md. */\nexport type ErrorCode = keyof typeof errorCatalogue;\n",
  ];
}

function warningParts(/** @type {Spec} */ { warnings }) {
  const codes = warnings.map(({ code }) => JSON.stringify(code)).join(" | ");
  return [`/** Codes of warnings: docs/warnings.md. */\nexport type WarningCode = ${codes};\n`];
}

function manifestParts(/** @type {Spec} */ { manifest }) {
  const { tags, recordFlags, optionWords, header, recordHeader, ...numbers } = manifest;
  const valuesOf = (/** @type {ManifestTag[]} */ list) => list.map((item) => item.value);
  return [
    value("manifestFormat", {
      ...numbers,
      headerBytes: layoutOf(header).size,
      recordHeaderBytes: layoutOf(recordHeader).size,
    }),
    described(
      "Where the fields are: bytes from the start of the manifest, and of a record.",
      "manifestHeader",
      offsetsOf(header),
    ),
    value("manifestRecord", offsetsOf(recordHeader)),
    value("manifestTags", byName(tags)),
    value("criticalTags", valuesOf(tags.filter((tag) => tag.critical))),
    value("repeatedTags", valuesOf(tags.filter((tag) => tag.repeated))),
    value("manifestFlags", byName(recordFlags)),
    value("optionWords", byName(optionWords)),
  ];
}

function causeParts(/** @type {Spec} */ { causes }) {
  return [
    described(
      "What a strategy can be refused for, as the doctor's JSON has it.",
      "causes",
      namesOf(causes),
    ),
    "/** One of them. */\nexport type Cause = (typeof causes)[number];\n",
  ];
}

function strategyParts(/** @type {Spec} */ { strategies }) {
  return [
    described(
      "Ways to make an image visible, in the order in which they are tried.",
      "strategies",
      namesOf(strategies),
    ),
    "/** One of them. */\nexport type Strategy = (typeof strategies)[number];\n",
    ...Object.entries(mountTypes(strategies)).map(([name, types]) => value(name, types)),
  ];
}

function squashfsParts(/** @type {Spec} */ { squashfs }) {
  const { magic, bigEndianMagic, major, minor, metadataBytes, extendedType } = squashfs;
  const { extractKinds, refusedXattrs } = squashfs;
  const counted = namesOf([...extractKinds, refusedXattrs]);
  return [
    described("The squashfs format; `superblock` has offsets of fields, bytes.", "squashfsFormat", {
      magic,
      bigEndianMagic,
      major,
      minor,
      metadataBytes,
      superblock: offsetsOf(squashfs.superblock),
      flags: byName(squashfs.flags),
      compressors: byName(squashfs.compressors),
      gzipStrategies: byName(squashfs.gzipStrategies),
      xzFilters: byName(squashfs.xzFilters),
      inodeTypes: byName(squashfs.inodeTypes),
      extendedType,
    }),
    described(
      "What extraction leaves out unless it is asked for, and where reports count it.",
      "extractKinds",
      namesOf(extractKinds),
    ),
    value("extractCounts", Object.fromEntries(counted.map((name, index) => [name, index]))),
  ];
}

function addonParts(/** @type {Spec} */ { addon }) {
  const columnsOf = (/** @type {AddonRow} */ { name, columns }) => [
    name,
    {
      ...Object.fromEntries(columns.map((column, index) => [column, index])),
      columns: columns.length,
    },
  ];
  return [
    described(
      "Rows that cross the border to the addon: columns by name, and how many there are.",
      "addonRows",
      Object.fromEntries(addon.rows.map(columnsOf)),
    ),
    described("In a column of such a row: none.", "addonNone", addon.none),
    value("addonFailures", namesOf(addon.failures)),
  ];
}

function appimageParts(/** @type {Spec} */ { appimage: { magic, type, magicOffset, sections } }) {
  return [
    described("What of an AppImage stands in its ELF file.", "appimageFormat", {
      magic,
      type,
      magicOffset,
      sections: Object.fromEntries(sections.map(({ name, section }) => [name, section])),
      reserved: sections.map(({ section, bytes }) => ({ name: section, bytes })),
    }),
  ];
}

function ownLoaderParts(/** @type {Spec} */ { ownLoader: { magic, version, fields, ...lists } }) {
  const { modes, libcs, variables } = lists;
  return [
    described("The loader stub's description; `fields` has offsets, bytes.", "ownLoaderFormat", {
      ...{ magic, version, modes, libcs, fields: offsetsOf(fields) },
    }),
    described("The same of what a packed libc.so.6 is given.", "libcVariablesFormat", {
      magic: variables.magic,
      fields: offsetsOf(variables.fields),
    }),
  ];
}

function machineParts(/** @type {Spec} */ { machines }) {
  const known = machines.built.map(({ name, aliases, node, elfMachine, pageBytes }) => {
    return { name, aliases, node, elfMachine, pageBytes };
  });
  return [
    described(
      "Machines that bundles are made for: names, e_machine, the largest page of their kernels.",
      "machines",
      known,
    ),
    described("Machines that are only known by name.", "otherMachines", machines.others),
  ];
}

function ruleParts(/** @type {Spec} */ { options }) {
  return [
    described(
      "Keys of bundle.config.*, with their JSON schema, and those whose values are paths.",
      "configKeys",
      configKeys(options),
    ),
    described(
      "What each option of a command takes, by its key in the library.",
      "optionRules",
      optionRules(options),
    ),
    value("compressionLevels", options.rules.compression.levels),
  ];
}

function permissionParts(/** @type {Spec} */ { permissions: { access, places, rules } }) {
  return [
    described(
      "What a sandboxed app may do with files and folders, in words.",
      "permissionAccess",
      access,
    ),
    described("Words of `fs` that stand for a path.", "permissionPlaces", places),
    described("Other permissions by their first words, in order.", "permissionRules", rules),
  ];
}

function nameParts(/** @type {Spec} */ { names, options }) {
  const variables = options.environment.filter(({ sources }) => sources.includes("builder"));
  return [
    described("Well-known paths, ours and the system's.", "paths", byName(names.paths)),
    described(
      "Endings of archives' names, and what such a file holds.",
      "archiveEndings",
      names.archiveEndings,
    ),
    described(
      "Where nothing of an image may appear: at them, below or above.",
      "reservedPaths",
      names.reservedPaths,
    ),
    described(
      "What an image that is a root directory has of its own: paths and all below, and paths alone.",
      "systemPaths",
      names.systemPaths,
    ),
    value("outputEndings", names.outputEndings),
    described(
      "Environment variables that the builder reads, sets or names.",
      "environment",
      Object.fromEntries(variables.map(({ name }) => [name, name])),
    ),
  ];
}

function commandParts(/** @type {Spec} */ { options }) {
  return [
    value("program", options.program),
    value("globalOptions", options.global),
    value("commands", options.commands),
    value("alias", options.alias),
    value("runnerOptions", options.runner.options),
    value("runOptions", options.run.options),
    value("programHelp", programHelp(options)),
    value("aliasHelp", aliasHelp(options)),
    value(
      "commandHelp",
      Object.fromEntries(options.commands.map((c) => [c.name, commandHelp(options, c)])),
    ),
  ];
}

/** The file, from everything that `readSpec` returns. */
export function typescript(/** @type {Spec} */ spec) {
  return [
    `// ${notice}\n`,
    described("Version of this package.", "version", spec.version),
    ...errorParts(spec),
    ...warningParts(spec),
    ...manifestParts(spec),
    ...causeParts(spec),
    ...strategyParts(spec),
    described(
      "Libraries that are never packed; docs/libraries.md lists them.",
      "hostLibraries",
      spec.hostLibraries,
    ),
    described("What every machine has that a bundle is for.", "everyTarget", spec.target),
    described(
      "Libraries that glibc opens by itself, and the functions that lead to it.",
      "openedByGlibc",
      spec.openedLibraries,
    ),
    described(
      "Programs that do less in a new user namespace; docs/limits.md lists them.",
      "namespaceSensitive",
      spec.userNamespace,
    ),
    ...squashfsParts(spec),
    ...addonParts(spec),
    ...appimageParts(spec),
    ...ownLoaderParts(spec),
    described(
      "What the two sides of a virtual machine say to each other: docs/vm-protocol.md.",
      "guestProtocol",
      guestValue(spec.guest),
    ),
    ...machineParts(spec),
    ...ruleParts(spec),
    ...permissionParts(spec),
    ...nameParts(spec),
    ...commandParts(spec),
  ].join("\n");
}
