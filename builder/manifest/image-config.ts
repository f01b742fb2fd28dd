/**
 * What a bundle whose image is the root directory of its app records beside what every bundle does:
 * records ROOT to SOURCE of docs/format.md. Of a container image it is what stands in its config.
 */
import { fromBytes } from "./manifest.ts";

/** Byte strings, as in a manifest. */
export interface ImageConfig {
  /** Arguments where the user gives none; the user's take the place of all of them. */
  cmd?: readonly string[] | undefined;
  /** Who the app is: `NAME` or `UID`, or either with `:GROUP` or `:GID`. */
  user?: string | undefined;
  /** Directory that the app starts in: an absolute path in the image. */
  workdir?: string | undefined;
  /** Words of options of the start, as behind `--bundle-run`. */
  run?: readonly string[] | undefined;
  /** Ports that the app listens on, each `80/tcp`. */
  ports?: readonly string[] | undefined;
  /** Absolute paths in the image that hold data. */
  volumes?: readonly string[] | undefined;
  /** Signal that asks the app to end: `SIGQUIT`, or a number. */
  stopSignal?: string | undefined;
  /** What the image says of itself, each `K=V`. */
  labels?: readonly string[] | undefined;
  /** What it was made of, with the digest of its manifest: `docker://HOST/NAME@sha256:...`. */
  source?: string | undefined;
}

/** What is wrong with a value, and what was expected. */
export interface ConfigProblem {
  /** Name of the record. */
  record: string;
  value: string;
  expected: string;
}

/** What a value of a record has to look like, and that in words. */
interface Rule {
  record: string;
  values: readonly string[];
  pattern: RegExp;
  expected: string;
}

const ABSOLUTE = "an absolute path";

function rulesOf(config: ImageConfig): Rule[] {
  const one = (value: string | undefined) => (value === undefined ? [] : [value]);
  return [
    {
      record: "USER",
      values: one(config.user),
      pattern: /^[^:]+(:[^:]+)?$/s,
      expected: "NAME or UID, or either with :GROUP or :GID",
    },
    { record: "WORKDIR", values: one(config.workdir), pattern: /^\//, expected: ABSOLUTE },
    {
      record: "PORT",
      values: config.ports ?? [],
      pattern: /^[0-9]{1,5}(-[0-9]{1,5})?\/(tcp|udp|sctp)$/,
      expected: "a port such as 80/tcp",
    },
    { record: "VOLUME", values: config.volumes ?? [], pattern: /^\//, expected: ABSOLUTE },
    {
      record: "STOP_SIGNAL",
      values: one(config.stopSignal),
      pattern: /^(SIG[A-Z0-9+-]+|[0-9]{1,3})$/,
      expected: "a signal such as SIGQUIT, or its number",
    },
    { record: "LABEL", values: config.labels ?? [], pattern: /^[^=]+=/, expected: "K=V" },
    { record: "SOURCE", values: one(config.source), pattern: /^./s, expected: "a name" },
  ];
}

/** Whether a record PORT names ports that there are: of an image it may have any digits. */
export function isPort(text: string): boolean {
  const [first = 0, last = first] = (/^[0-9-]+/.exec(text)?.[0] ?? "").split("-").map(Number);
  return first >= 1 && last >= first && last <= 65535;
}

/** The first value that no reader would take; undefined where all are in order. */
export function configProblem(config: ImageConfig): ConfigProblem | undefined {
  for (const { record, values, pattern, expected } of rulesOf(config)) {
    const bad = values.find((value) => !pattern.test(value));
    if (bad !== undefined) return { record, value: fromBytes(bad), expected };
  }
  return undefined;
}
