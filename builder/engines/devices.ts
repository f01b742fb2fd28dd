/** Devices that an app declares to use, as engines are told of them. */
import type { SandboxDevice } from "../manifest/permissions.ts";

/** What is of one kind of devices. */
export interface DeviceKind {
  /** As /proc/devices calls it. */
  driver: string;
  /** Where the machine has them. */
  folder: string;
  /** More that are of the kind, and that most machines have not. */
  more: readonly string[];
}

export const deviceKinds: Record<SandboxDevice, DeviceKind> = {
  gpu: { driver: "char-drm", folder: "/dev/dri", more: ["/dev/kfd"] },
  audio: { driver: "char-alsa", folder: "/dev/snd", more: [] },
  input: { driver: "char-input", folder: "/dev/input", more: [] },
};
