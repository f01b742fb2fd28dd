/** podman, with storage of a test's own, where cgroups of version 2 alone are and few limits can be raised. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "./process.ts";
import { temporaryDirectory } from "./temporary.ts";

export interface Podman {
  /** A command of it. `before` is what becomes podman. */
  podman(args: readonly string[], before?: readonly string[]): ReturnType<typeof run>;
  /** What `podman run` needs of options here. */
  runOptions: readonly string[];
}

export function startPodman(): Podman {
  const dir = temporaryDirectory();
  const script = path.join(dir, "one-hierarchy");
  writeFileSync(
    script,
    'umount -R /sys/fs/cgroup 2>/dev/null\nmount -t cgroup2 none /sys/fs/cgroup && exec "$@"\n',
  );
  const places = ["root", "runroot", "tmpdir"].flatMap((name) => [`--${name}`, `${dir}/${name}`]);
  const engine = ["--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=none"];
  const limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096"];
  return {
    podman: (args, before = []) =>
      run("unshare", ["-m", "sh", script, ...before, "podman", ...places, ...engine, ...args], {
        env: { HOME: dir },
      }),
    runOptions: ["--rm", "--cgroups=disabled", "--network=host", ...limits],
  };
}
