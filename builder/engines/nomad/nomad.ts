/**
 * A bundle as a job of Nomad: JSON as `nomad job run -output` prints it and `nomad job run -json` reads it. The
 * machine that Nomad picks fetches the bundle and holds it against its sha256. A `${...}` that Nomad knows is replaced, of
 * what it does not know nothing is changed, and there is no way to write one that it leaves.
 */
import * as errors from "../../errors.ts";
import { renderTemplate } from "../../host/template.ts";
import {
  type BundleFacts,
  type Engine,
  type EngineFile,
  type EngineSettings,
  pairsOf,
} from "../engine.ts";
import {
  goArchitectures,
  labelName,
  mebibytes,
  type Port,
  portsOf,
  secretsOf,
} from "../settings.ts";

export const nomad: Engine = {
  output: "file",
  takes: [
    ...(["name", "args", "env", "url", "ports", "cpus", "memory", "region", "replicas"] as const),
    ...(["job", "driver", "secrets"] as const),
  ],
  files: jobFile,
};

/** Nobody, on every Linux. */
const NOBODY = "nobody";

function jobFile(facts: BundleFacts, settings: EngineSettings): EngineFile[] {
  const { url, args = [], env = [], cpus = 1, memory = "512M", region, replicas = 1 } = settings;
  const { job = false, driver = "exec2" } = settings;
  if (url === undefined) throw errors.optionMissing("url", "where the machine fetches the bundle");
  const name = labelName(settings.name ?? facts.name);
  const ports = portsOf(facts, settings);
  const secrets = secretsOf(settings);
  const destination = `local/${name}.run`;
  const text = renderTemplate("engines/nomad/job.json", {
    name,
    type: job ? "batch" : "service",
    region,
    arch: goArchitectures[facts.arch],
    count: `${replicas}`,
    networks: ports.length === 0 ? undefined : json([networkOf(ports)]),
    services: ports.length === 0 ? undefined : json([serviceOf(name, ports)]),
    driver,
    user: driver === "raw_exec" ? NOBODY : undefined,
    config: json(configOf(driver, facts, `${LOCAL}/${name}.run`, args)),
    env: json({
      ...FILES,
      ...(driver === "exec2" && { FUSELAGE_MOUNT: "extract" }),
      ...Object.fromEntries(pairsOf(env)),
    }),
    templates: secrets.length === 0 ? undefined : json([secretTemplate(name, secrets)]),
    signal: facts.stopSignal,
    cores: `${cpus}`,
    memory: `${mebibytes(memory)}`,
    url,
    checksum: `sha256:${facts.sha256}`,
    destination,
  });
  return [{ name: "job.json", text }];
}

/** The task's own folder, which goes with it. */
const LOCAL = "${NOMAD_TASK_DIR}";
/** Where a start keeps what it extracts. */
const FILES = { FUSELAGE_HOME: `${LOCAL}/fuselage`, HOME: LOCAL };

const json = (value: unknown): string => JSON.stringify(value);

/** A file of variables, in memory, that the client makes of what it may read: the variables of this job. */
const secretTemplate = (name: string, secrets: readonly string[]) => ({
  EmbeddedTmpl: [
    `{{ with nomadVar "nomad/jobs/${name}" }}`,
    ...secrets.map((key) => `${key}={{ .${key} | toJSON }}`),
    "{{ end }}\n",
  ].join("\n"),
  DestPath: "secrets/variables",
  Envvars: true,
  ErrMissingKey: true,
});

const labelOf = ({ port, protocol }: Port): string => `p${port}-${protocol}`;

const networkOf = (ports: readonly Port[]) => ({
  Mode: "host",
  ReservedPorts: ports.map((one) => ({ Label: labelOf(one), Value: one.port })),
});

function serviceOf(name: string, ports: readonly Port[]) {
  const [first] = ports;
  const checked = ports.find(({ protocol }) => protocol === "tcp");
  return {
    Name: name,
    Provider: "nomad",
    ...(first !== undefined && { PortLabel: labelOf(first) }),
    Checks:
      checked === undefined
        ? []
        : [
            {
              Type: "tcp",
              PortLabel: labelOf(checked),
              Interval: SECOND * 10,
              Timeout: SECOND * 2,
            },
          ],
  };
}

/** Times are in nanoseconds. */
const SECOND = 1_000_000_000;

/**
 * raw_exec makes what it starts executable, which a file that was fetched is not. exec2 starts it as a user that
 * does not own that file, so there a copy of it is started.
 */
function configOf(
  driver: NonNullable<EngineSettings["driver"]>,
  { file, needsNamespace }: BundleFacts,
  program: string,
  args: readonly string[],
) {
  if (driver === "raw_exec") return { command: program, args };
  if (needsNamespace) {
    throw errors.engineInput(
      file,
      "needs a namespace of its own, which exec2 lets nobody have",
      "Use --driver raw_exec, or build it without --mount-at, --map, --writable and --root.",
    );
  }
  return { command: "/bin/sh", args: ["-c", COPY, program, ...args] };
}

const COPY = 'cp -f "$0" "$0.app" && chmod 755 "$0.app" && exec "$0.app" "$@"';
