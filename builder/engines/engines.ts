/** The engines, by the key of the option of `bundle export` that asks for their files. */
import type { Engine } from "./engine.ts";
import { systemd } from "./systemd/systemd.ts";

export const engines = { systemd } satisfies Record<string, Engine>;

/** An engine, by that key. */
export type EngineName = keyof typeof engines;
