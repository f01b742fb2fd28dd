/**
 * What a build tells without failing. Codes and advice stand in scripts/spec/warnings.json;
 * docs/warnings.md lists them.
 */
import type { WarningCode } from "./generated/spec.ts";

export type { WarningCode } from "./generated/spec.ts";

/** Something that may go wrong on other machines, or is not as it was asked for. */
export interface Warning {
  /** Stays the same from version to version: docs/warnings.md. */
  readonly code: WarningCode;
  /** One line: what it is, with the path or name that it is about. */
  readonly message: string;
}

export const warning = (code: WarningCode, message: string): Warning => ({ code, message });

/** As people read it. */
export const shownWarning = ({ code, message }: Warning): string => `${message} [${code}]`;
