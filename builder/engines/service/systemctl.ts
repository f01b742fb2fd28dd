/** systemd itself, by its program: the machine's, or the one of a user. */
import { existsSync } from "node:fs";
import * as errors from "../../errors.ts";
import { runCommand } from "../../host/command.ts";

/** Where sd_booted(3) looks. */
const BOOTED = "/run/systemd/system";

export class Systemctl {
  readonly #user: readonly string[];

  /** @throws E_SERVICE_SYSTEMD where the machine runs something else */
  constructor(isUser: boolean) {
    if (!existsSync(BOOTED)) throw errors.serviceSystemd("this machine was not started by systemd");
    this.#user = isUser ? ["--user"] : [];
  }

  /** @throws E_SERVICE_SYSTEMD, E_SERVICE_FAILED with what systemd says */
  async run(...args: string[]): Promise<string> {
    const all = [...this.#user, "--no-ask-password", ...args];
    const { status, stdout, stderr } = await runCommand("systemctl", all).catch(
      (cause: NodeJS.ErrnoException) => {
        throw errors.serviceSystemd(`systemctl cannot be started: ${errors.systemReason(cause)}`);
      },
    );
    if (status === 0) return stdout;
    const command = ["systemctl", ...all].join(" ");
    if (/Failed to connect to bus/.test(stderr)) throw errors.serviceSystemd(stderr.trim());
    const said = stderr.trim().replaceAll(/\s*\n\s*/g, " ");
    throw errors.serviceFailed(command, said || `status ${status}`);
  }

  /** Properties of a unit; a unit that is not there has them too. */
  async show(unit: string, ...names: string[]): Promise<Map<string, string>> {
    const text = await this.run("show", `--property=${names.join()}`, unit);
    return new Map(
      text
        .split("\n")
        .filter((line) => line.includes("="))
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
  }
}

/** Makes the users that files in /etc/sysusers.d describe. */
export async function makeUsers(file: string): Promise<void> {
  const { status, stderr } = await runCommand("systemd-sysusers", [file]);
  if (status !== 0) throw errors.serviceFailed(`systemd-sysusers ${file}`, stderr.trim());
}
