/** The part of V8's heap in which objects are made. */
import { setFlagsFromString } from "node:v8";

/** Those of Node 20 to 24, where it was tried: of a flag that it does not know V8 would write on standard error. */
const TRIED = /^1[1-3]\./;

/**
 * Keeps it from growing beyond the 2 MiB with which it begins, for a command that reads a tree. V8 lets it grow with what outlives a
 * collection, to 32 MiB (Node 24: 128), and never gives that back: as much as a tree of 100,000 files takes, whose objects stay and
 * so are moved out of there in any case. For the process of a command alone: who calls the library has a heap of his own to look after.
 */
export function keepYoungGenerationSmall(): void {
  if (TRIED.test(process.versions.v8)) setFlagsFromString("--semi-space-growth-factor=1");
}
