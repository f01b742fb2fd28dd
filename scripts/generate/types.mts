// What stands in scripts/spec/, a type for each file, and what is made of it.

/** Who raises an error or knows a variable; the stubs are in programs that a build changed. */
export type Side = "builder" | "runtime" | "stub";

/** What a row is called, and what it is in a few words: a comment in what is generated. */
export interface Described {
  name: string;
  summary: string;
}

/** A name for a number or a text. */
export interface Named<Value> {
  name: string;
  value: Value;
}

/** A field of a structure: they stand one behind the other. */
export interface Field {
  name: string;
  bytes: number;
}

/** A row of errors.json: a failure that people meet, by its code. */
export interface ErrorRow {
  code: string;
  raisedBy: Side[];
  /** True where the program at the front of a bundle cannot fail so: its text is in the runner alone. */
  runner?: boolean;
  /** Exit statuses that are not those of `defaultExit`. */
  exit?: Partial<Record<Side, number>>;
  /** What happened. */
  summary: string;
  /** What to do. */
  hint: string;
  /** The same in the words of the runtime, where it says less or something else. */
  runtimeHint?: string;
}

/** A row of warnings.json: what a build tells without failing, by its code. */
export interface WarningRow {
  code: string;
  /** What it is. */
  summary: string;
  /** What to do. */
  hint: string;
}

/** A row of causes.json: what a failure of the runtime comes from. */
export interface Cause extends Described {
  /** What to do, where it is the same on every machine. */
  advice?: string;
}

/** A row of strategies.json: a way to make an image visible. */
export interface Strategy extends Described {
  /** Whether later starts share its mount. */
  shared: boolean;
  /** Whether it can leave a mount on the host. */
  host: boolean;
}

/** A machine of machines.json that bundles are made for. */
export interface Machine {
  /** As `uname -m` gives it; also the name of the compiler's targets and of qemu's programs. */
  name: string;
  /** Other names that people know it by. */
  aliases: string[];
  /** Its name in Node's `process.arch`. */
  node: string;
  /** e_machine of its ELF files. */
  elfMachine: number;
  /** The largest page that its kernel may use. */
  pageBytes: number;
  /** The linker's name for it. */
  emulation: string;
  /** What makes programs for every such machine, not for this one's model. */
  compilerFlags: string[];
  /** What makes code that runs wherever it is put, with landing pads for jumps. */
  stubFlags: string[];
}

/** machines.json */
export interface Machines {
  built: Machine[];
  /** Those that are only known by name. */
  others: { name: string; aliases: string[]; elfMachine: number; summary: string }[];
}

/** A kind of record in the manifest of a bundle. */
export interface ManifestTag extends Described, Named<number> {
  /** Whether a reader that does not know it must refuse the file. */
  critical: boolean;
  /** Whether there may be several. */
  repeated: boolean;
}

/** manifest.json; docs/format.md has the prose. */
export interface Manifest {
  /** The ELF section that it stands in. */
  section: string;
  magic: string;
  major: number;
  minor: number;
  header: Field[];
  recordHeader: Field[];
  recordAlignment: number;
  maxBytes: number;
  maxRecords: number;
  maxKept: number;
  imageAlignment: number;
  recordFlags: (Described & Named<number>)[];
  tags: ManifestTag[];
  /** Words in a record of the tag OPTIONS. */
  optionWords: (Described & Named<string>)[];
}

/** A field of the loader stub's description. */
export interface OwnLoaderField extends Field, Described {}

/** own-loader.json: what the loader stub is told; docs/format.md has the prose. */
export interface OwnLoader {
  magic: string;
  version: number;
  fields: OwnLoaderField[];
  /** Values of the fields `mode` and `libc`, from 0. */
  modes: string[];
  libcs: string[];
  /** What a packed libc.so.6 is told. */
  variables: { magic: string; fields: OwnLoaderField[] };
}

/** A row of host-libraries.json: libraries that are never packed. */
export interface HostLibraries {
  /** Names of files, with `*` for any characters. */
  names: string[];
  family: string;
  /** Why they are the target's. */
  reason: string;
}

/** A row of opened-libraries.json: what glibc opens by itself, and for whom. */
export interface OpenedLibrary {
  /** Its name, or a pattern of those that belong to the target. */
  library: string;
  /** Functions that lead to it. */
  symbols: string[];
  /** Whether --with-libs packs it. */
  packed: boolean;
  /** What for. */
  reason: string;
}

/** A row of user-namespace.json: programs that do less in a new user namespace. */
export interface NamespaceSensitive {
  names: string[];
  /** A word of --needs. */
  need: string;
  /** What it is that they do. */
  reason: string;
}

/** A word, and what people read in its place. */
export interface Worded {
  name: string;
  text: string;
}

/** permissions.json: what a sandboxed app may be allowed; docs/sandbox.md has the prose. */
export interface PermissionWords {
  /** How files are used. */
  access: Worded[];
  /** Words of `fs` that stand for a path. */
  places: Worded[];
  /** All others in their order; `value`: what stands behind the words. */
  rules: (Worded & { value?: string })[];
}

/** target.json: what every machine has that a bundle is for. */
export interface Target {
  /** Absolute paths. */
  programs: string[];
  /** The oldest version of it that is still looked after. */
  glibc: string;
}

/** names.json */
export interface Names {
  paths: (Described & Named<string>)[];
  /** What an image that is a root directory has of its own: paths and all below, and paths alone. */
  systemPaths: { below: string[]; exactly: string[] };
  /** Where nothing of an image may appear: at them, below or above. */
  reservedPaths: string[];
  /** Endings of archives' names, and what such a file holds. */
  archiveEndings: { ending: string; format: string }[];
  /** Endings of what is made. */
  outputEndings: Record<string, string>;
}

/** A failure of the squashfs reader. */
export interface SquashfsError extends Described, Named<number> {
  /** What people read. */
  text: string;
  /** What a file system answers where that is not EIO. */
  errno?: string;
}

/** What extraction counts: `word` is how options and reports call it. */
export interface ExtractKind extends Described {
  word: string;
}

/** squashfs.json: the format, version 4.0. */
export interface Squashfs {
  magic: string;
  bigEndianMagic: string;
  major: number;
  minor: number;
  metadataBytes: number;
  superblock: Field[];
  flags: Named<number>[];
  compressors: Named<number>[];
  /** Bits of the compressor options of gzip and xz. */
  gzipStrategies: Named<number>[];
  xzFilters: Named<number>[];
  /** Added to the type of an inode: the long form of it. */
  extendedType: number;
  /** `constant`: the name in C. */
  inodeTypes: (Named<number> & { constant: string })[];
  errors: SquashfsError[];
  /** What is left out unless it is asked for. */
  extractKinds: ExtractKind[];
  /** Attributes that the destination does not take. */
  refusedXattrs: ExtractKind;
}

/** Rows of numbers that cross the border to the addon. */
export interface AddonRow extends Described {
  columns: string[];
}

/** addon.json */
export interface Addon {
  rows: AddonRow[];
  /** In a column: nothing. */
  none: number;
  failures: Described[];
}

/** appimage.json: what of an AppImage stands in its ELF file. */
export interface AppImage {
  magic: string;
  type: number;
  magicOffset: number;
  sections: (Described & { section: string; bytes: number })[];
}

/** A line between the two sides of a virtual machine. */
export interface Message extends Described {
  letter: string;
  takes: string;
}

/** guest.json: what the two sides of a virtual machine say to each other; docs/vm-protocol.md has the prose. */
export interface Guest {
  version: number;
  /** Names in the initramfs. */
  runFile: string;
  modulesFolder: string;
  modulesList: string;
  /** Ways for bytes, each with the name of its virtio-serial port. */
  streams: (Described & { port: string })[];
  transports: Described[];
  ends: Described[];
  /** What a disk is, by the serial number that its driver shows. */
  disks: (Described & { serial: string })[];
  toHost: Message[];
  toGuest: Message[];
  /** What the run file may say. */
  records: (Described & { takes: string; repeated?: boolean })[];
}

/** Which values there are, in a row of options.json and in what is made of it. */
export interface Values {
  choices?: string[];
  min?: number;
  max?: number;
  powerOfTwo?: boolean;
  /** A regular expression for a text. */
  pattern?: string;
  maxBytes?: number;
  /** Whether a text of a list may have no characters. */
  mayBeEmpty?: boolean;
  /** The rule in words, for who breaks it. */
  expected?: string;
}

/** What the command line takes: a switch, or an option with a value. */
export type OptionType = "boolean" | "string";

/** What a key of the library takes beside these. */
export type KeyType = OptionType | "object";

/** One of several keys that an option of the command line sets. */
export interface KeyRow extends Values {
  type?: KeyType;
  /** Of an object. */
  schema?: Schema;
  description?: string;
}

/** An option, complete: scripts/generate/options.mjs. */
export interface OptionRow extends Values, Described {
  type?: OptionType;
  /** Its letter. */
  short?: string;
  /** What help texts call the value. */
  value?: string;
  /** Whether the value may be left out. */
  optionalValue?: boolean;
  /** Whether a value that looks like an option is one that is meant: its values are options. */
  takesOptions?: boolean;
  /** Whether it may be given several times. */
  multiple?: boolean;
  /** Whether the one text of the command line is a list. */
  list?: boolean;
  required?: boolean;
  /** Levels by choice. */
  levels?: Record<string, { min: number; max: number; default: number }>;
  default?: string | number;
  /** Whether the value is a path; "slash": when it has a slash. */
  path?: true | "slash";
  /** False for an option that is for the command line alone. */
  config?: boolean;
  /** Its key in the library, where that is not the name in camel case. */
  key?: string;
  /** Several of them. */
  keys?: Record<string, KeyRow>;
  /** Of the runner: whether it counts behind --run PATH too. */
  behindRun?: boolean;
}

/** `{"machines": "linux-{node}"}`: a choice for each machine that is built for. */
export interface MachineChoices {
  machines: string;
}

/** A key as it stands in options.json: `values` takes the choices of its row, or the range of all levels. */
export interface WrittenKey extends KeyRow {
  values?: "choices" | "levels";
}

/** An option as it stands in options.json: what it does not say is said by the rule that it names. */
export interface WrittenOption extends Omit<Partial<OptionRow>, "name" | "choices" | "keys"> {
  name: string;
  rule?: string;
  choices?: string[] | MachineChoices;
  keys?: Record<string, WrittenKey>;
}

/** An argument of a command that is no option. */
export interface Argument extends Described {
  /** Its key in the library, where it has one. */
  key?: string;
  optional?: boolean;
  /** Whether there may be several: the last one of a command. */
  multiple?: boolean;
  choices?: string[];
}

/** A command of `bundle`. */
export interface Command<Option = OptionRow> extends Described {
  usage: string;
  arguments: Argument[];
  /** What all that follows is. */
  rest?: Argument;
  /** Paragraphs below the summary. */
  details: string[];
  options: Option[];
  examples: string[];
}

/** `fuselage`, the runtime without an image. */
export interface Runner<Option = OptionRow> extends Described {
  usages: string[];
  details: string[];
  options: Option[];
  examples: string[];
}

/** What --bundle-run takes: options of a start whose root directory is the image. */
export interface RunOptions<Option = OptionRow> extends Described {
  usage: string;
  details: string[];
  options: Option[];
  examples: string[];
}

/** An option of a finished file, with its dashes. */
export interface OwnOption extends Described {
  value?: string;
}

/** An environment variable. */
export interface Variable extends Described {
  sources: Side[];
  /** Who reads or sets it, in words. */
  scope: string;
}

/** options.json, complete. */
export interface Options<Option = OptionRow> {
  /** `bundle`; the date is that of its man page. */
  program: Described & { date: string };
  /** Options that `bundle` takes without a command. */
  global: OptionRow[];
  /** What values may be that several commands take. */
  rules: Record<string, Option>;
  commands: Command<Option>[];
  /** A command under a name of its own. */
  alias: Described & { command: string; examples: string[] };
  /** Options of a bundle. */
  runtime: OwnOption[];
  /** Options of an AppImage. */
  appimage: OwnOption[];
  environment: Variable[];
  run: RunOptions<Option>;
  runner: Runner<Option>;
}

/** options.json as it is written; a rule's name is its key. */
export interface WrittenOptions extends Omit<Options<WrittenOption>, "rules"> {
  rules: Record<string, Omit<WrittenOption, "name">>;
}

/** What an option or an argument of a command takes: scripts/generate/option-rules.mjs. */
export interface ValueRule extends Values {
  type: "list" | "boolean" | "integer" | "string" | "object";
  schema?: Schema;
}

/** The same with how a command line names it. */
export interface OptionRule extends ValueRule {
  /** The kind of app that alone takes it. */
  kind?: string;
  argument?: string;
  flag?: string;
  value?: string;
  short?: string;
}

/** What is used here of JSON schema. */
export interface Schema {
  type?: string;
  description?: string;
  enum?: (string | number)[];
  items?: Schema;
  minimum?: number;
  maximum?: number;
  pattern?: string;
  minLength?: number;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  propertyNames?: Schema;
  additionalProperties?: false | Schema;
}

/** Calls of sandbox.json that are answered in one way. */
export interface SandboxCalls {
  why: string;
  /** An errno by its name; none where `socket` has a leaf of its own. */
  answer?: string;
  /** What opens them: a switch. */
  switch?: string;
  /** What opens them in a network, whose program says nothing of them then. */
  unless?: string;
  /** Which argument decides, from 0: refused with one of these bits, without any of them, with a value, or with another. */
  argument?: number;
  anyBits?: number;
  noBits?: number;
  oneOf?: number[];
  only?: number;
  socket?: boolean;
  /** By name: the number of x86_64, then that of the machines with the generic table, unless these have none. */
  numbers: Record<string, number[]>;
}

/** What of the network a filter of sandbox.json opens. */
export interface SandboxNetwork extends Described {
  /** Sockets of the internet families: none, TCP and what switches open, or all. */
  internet: "none" | "tcp" | "all";
  /** What calls have as `unless`. */
  opens: string[];
}

/** sandbox.json: the filter of system calls of a sandbox. */
export interface SandboxSpec {
  /** By machine: its constant in linux/audit.h, and which of the numbers are its own. */
  machines: Record<string, { audit: string; column: number }>;
  answers: Record<string, number>;
  switches: Described[];
  /** A program each. */
  networks: SandboxNetwork[];
  calls: SandboxCalls[];
}

/** All of scripts/spec/ but the floors, and the package's version. */
export interface Spec {
  version: string;
  errors: ErrorRow[];
  warnings: WarningRow[];
  causes: Cause[];
  strategies: Strategy[];
  machines: Machines;
  manifest: Manifest;
  options: Options;
  hostLibraries: HostLibraries[];
  openedLibraries: OpenedLibrary[];
  userNamespace: NamespaceSensitive[];
  target: Target;
  names: Names;
  squashfs: Squashfs;
  addon: Addon;
  appimage: AppImage;
  ownLoader: OwnLoader;
  guest: Guest;
  permissions: PermissionWords;
  sandbox: SandboxSpec;
}
