/** What is asked of deployments that there are: an action each. */
import { setTimeout } from "node:timers/promises";
import type { DeployAction, DeployOptions } from "../../config/deploy-options.ts";
import { shown } from "../../deploy/answers.ts";
import type { Engine } from "../../deploy/client.ts";
import * as deployErrors from "../../deploy/deploy-errors.ts";
import * as environments from "../../deploy/environments.ts";
import { environmentEvents } from "../../deploy/events.ts";
import { figures } from "../../deploy/metrics.ts";
import { logCommand, stopCommand, tailCommand } from "../../engines/fuse/guest.ts";
import * as errors from "../../errors.ts";
import { waitBefore } from "../../oci/registry/retry.ts";
import { interruptible } from "../interruption.ts";
import { jsonText, note, print, printable, printJson } from "../print.ts";
import { begun } from "./begun.ts";
import {
  environmentRows,
  environmentTable,
  eventLine,
  metricTable,
  snapshotTable,
} from "./show.ts";

export interface Action {
  engine: Engine;
  /** The argument; "" where there is none. */
  name: string;
  options: DeployOptions;
  /** Behind `--`. */
  rest: readonly string[];
  json: boolean;
}

/** Figures of the engine itself, beside those of the language that it is written in. */
const OWN_FIGURES = "orchestrator_";
/** Of the last lines of a log, bytes. */
const LINES = 1 << 20;
/** Bytes of a log that are asked for at once. */
const PIECE = 256 << 10;
/** Between two looks at a log, ms. */
const PACE = 1000;
/** How long an app may take to end before its machine is drained, s. */
const STOP = 30;

export const actions: Record<DeployAction, (action: Action) => Promise<void>> = {
  async list({ engine, options, json }) {
    if (options.snapshots) {
      const all = shown(await environments.snapshots(engine), engine);
      if (json) printJson(all);
      else print(snapshotTable(all));
      return;
    }
    const all = shown(await environments.list(engine), engine);
    if (json) printJson(all);
    else print(environmentTable(all));
  },

  async status({ engine, name, json }) {
    const one = shown(await environments.get(engine, name), engine);
    if (json) printJson(one);
    else print(environmentRows(one));
  },

  async events({ engine, name, json }) {
    const { id } = await environments.get(engine, name);
    const onReconnect = (why: string) => note(`${why}; the stream is begun again`);
    for await (const event of environmentEvents(engine, id, name, { onReconnect })) {
      const one = shown(event, engine);
      print(json ? `${jsonText(one)}\n` : eventLine(one));
    }
  },

  logs,

  async exec({ engine, name, options, rest, json }) {
    if (rest.length === 0) {
      throw errors.argument(
        "the command is missing",
        "bundle deploy exec NAME --to ENGINE -- COMMAND...",
      );
    }
    const one = await environments.get(engine, name);
    const timeout = (options.timeout ?? 60) * 1000;
    const result = await interruptible(
      () => note(`${name}: interrupted; the command may go on in the machine`),
      (signal) => environments.exec(engine, one, [...rest], { timeout, signal }),
    );
    if (json) printJson(result);
    else {
      print(result.stdout);
      process.stderr.write(result.stderr);
    }
    process.exitCode = result.exit_code & 0xff || (result.exit_code === 0 ? 0 : 1);
  },

  async snapshot({ engine, name, options, json }) {
    const one = await environments.get(engine, name);
    const made = await begun(name, {
      left: "a snapshot may be left, which `bundle deploy list --snapshots` shows",
      work: () => environments.takeSnapshot(engine, one, options.comment),
      undo: (taken) => environments.deleteSnapshot(engine, taken.id),
    });
    if (json) printJson(shown(made, engine));
    else print(`${printable(shown(made.id, engine))}\n`);
  },

  async fork({ engine, name, options: { snapshot, comment }, json }) {
    const one = await environments.get(engine, name);
    const left = "a fork may be left, which `bundle deploy list` shows";
    const made = await begun(name, {
      left,
      work: () => environments.fork(engine, one, { snapshot, comment }),
      async undo(forked) {
        if (forked === undefined) note(`${name}: ${left}`);
        else await environments.destroy(engine, forked);
      },
    });
    if (json) printJson(shown(made ?? {}, engine));
    else if (made === undefined) note(`${name}: forked, and the engine does not say as what`);
    else print(environmentRows(shown(made, engine)));
  },

  async restore({ engine, name, json }) {
    await begun(name, {
      left: "it may be restored, or in the middle of it: `bundle deploy list --snapshots` shows",
      work: () => environments.restore(engine, name),
    });
    if (json) printJson({ snapshot: name, restored: true });
    else print(`${printable(name)}: restored\n`);
  },

  async drain({ engine, name, json }) {
    const one = await environments.get(engine, name);
    await begun(name, {
      left: "it may be draining, as `bundle deploy status` shows",
      async work() {
        await stopApp(engine, one);
        await environments.drain(engine, one);
      },
    });
    if (json) printJson({ name, state: "draining" });
    else print(`${printable(name)}: drained; \`bundle deploy destroy\` ends the machine\n`);
  },

  async destroy({ engine, name, json }) {
    const one = await environments.get(engine, name);
    await begun(name, {
      left: "it may be there yet, as `bundle deploy status` shows",
      work: () => environments.destroy(engine, one),
    });
    if (json) printJson({ name, destroyed: true });
    else print(`${printable(name)}: destroyed\n`);
  },

  async metrics({ engine, name, json }) {
    const found = figures(await environments.metricsText(engine), name === "" ? OWN_FIGURES : name);
    if (json) printJson(found);
    else print(metricTable(found));
  },
};

/** The engine ends its own agent when it drains; that there is an app is for us to know. */
async function stopApp(engine: Engine, one: environments.Environment): Promise<void> {
  try {
    const command = stopCommand(one.task_id, STOP);
    const { exit_code: status } = await environments.exec(engine, one, command);
    if (status !== 0) note(`${shown(one.id, engine)}: the app does not end`);
  } catch (cause) {
    const why = environments.whyNoCommands(cause);
    if (why === undefined) throw cause;
    note(`${shown(one.id, engine)}: the app is not asked to end: ${why}`);
  }
}

async function logs({ engine, name, options, json }: Action): Promise<void> {
  const one = await environments.get(engine, name);
  const tail = tailCommand(one.task_id, options.lines ?? 100, LINES);
  const first = pieceOf(await environments.exec(engine, one, tail, { again: true }));
  if (first === undefined) {
    throw deployErrors.notFound(name, "log: it was not started by `bundle deploy`");
  }
  const say = (text: string) => print(json ? `${jsonText({ text })}\n` : text);
  if (first.text !== "" || !options.follow) say(first.text);
  if (!options.follow) return;
  for (let at = first.end; ; ) {
    const piece = await nextPiece(engine, one, at);
    if (piece === undefined) return;
    if (piece.text === "") await setTimeout(PACE);
    else say(piece.text);
    at = piece.end;
  }
}

/** What `logCommand` and `tailCommand` print; undefined: there is no log. */
function pieceOf({ exit_code: status, stdout }: environments.ExecResult) {
  const [, end, text = ""] = /^\s*(\d+)\n([\s\S]*)$/.exec(stdout) ?? [];
  return status !== 0 || end === undefined ? undefined : { end: Number(end), text };
}

/** What follows in a log; undefined: it has ended with its machine. An engine may be starting again. */
async function nextPiece(engine: Engine, one: environments.Environment, at: number) {
  for (let tries = 1; ; tries++) {
    try {
      const command = logCommand(one.task_id, at, PIECE);
      return pieceOf(await environments.exec(engine, one, command, { again: true }));
    } catch (cause) {
      const ends = ["E_DEPLOY_NOT_FOUND", "E_DEPLOY_CONFLICT"] as const;
      if (ends.some((code) => environments.isFailure(cause, code))) return undefined;
      const wait = waitBefore(tries);
      if (!environments.isFailure(cause, "E_DEPLOY_UNREACHABLE") || wait === undefined) throw cause;
      note(`${(cause as Error).message}; it is asked again`);
      await setTimeout(wait);
    }
  }
}
