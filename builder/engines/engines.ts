/** The engines, by the key of the option of `bundle export` that asks for their files. */

import { cloudInit } from "./cloud-init/cloud-init.ts";
import { compose } from "./containers/compose.ts";
import { quadlet } from "./containers/quadlet.ts";
import type { Engine } from "./engine.ts";
import { fuse } from "./fuse/fusefile.ts";
import { kubernetes } from "./kubernetes/kubernetes.ts";
import { nomad } from "./nomad/nomad.ts";
import { systemd } from "./systemd/systemd.ts";

export const engines = {
  systemd,
  compose,
  quadlet,
  cloudInit,
  kubernetes,
  nomad,
  fuse,
} satisfies Record<string, Engine>;

/** An engine, by that key. */
export type EngineName = keyof typeof engines;
