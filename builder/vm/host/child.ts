/** Processes that must not outlive this one. */
import { findProgram } from "./vmm.ts";

/**
 * The command that runs a command which the kernel kills when this process ends, however that is (PR_SET_PDEATHSIG,
 * by setpriv of util-linux). Without setpriv a kill of this process is noticed by the guest, whose control channel
 * is closed then.
 */
export function endsWithParent(command: readonly string[]): string[] {
  const setpriv = findProgram("setpriv");
  return setpriv === undefined ? [...command] : [setpriv, "--pdeathsig", "KILL", "--", ...command];
}
