/**
 * A bundle's image as what a cluster of Kubernetes runs: a Deployment or a Job, and a Service where it listens on
 * something.
 */
import * as errors from "../../errors.ts";
import { renderTemplate, type TemplateValue } from "../../host/template.ts";
import {
  ENTRY_CAPABILITIES,
  HOME,
  isPlainUser,
  reachedPorts,
  writtenFolders,
} from "../declared-in-image.ts";
import {
  type BundleFacts,
  type Engine,
  type EngineFile,
  type EngineSettings,
  oneLine,
  pairsOf,
} from "../engine.ts";
import { goArchitectures, labelName, mebibytes, type Port, secretsOf } from "../settings.ts";
import { networkRules } from "./declared.ts";
import { yamlValue } from "./yaml-value.ts";

export const kubernetes: Engine = {
  output: "file",
  takes: [
    ...(["name", "image", "artifactImage", "args", "env", "ports", "cpus", "memory"] as const),
    ...(["replicas", "job", "probe", "secrets"] as const),
  ],
  files: manifestFile,
};

/** Nobody, on every Linux. */
const NOBODY = 65534;
/** Names of Deployments and Services, of containers and of values of labels: a label of DNS. */
const MOST_NAME = 63;
/** A container that a pod's volumes are mounted into has these of its own. */
const RESERVED = ["/", "/dev", "/proc", "/sys"];

function manifestFile(facts: BundleFacts, settings: EngineSettings): EngineFile[] {
  const { job = false, replicas = 1 } = settings;
  const name = labelName(settings.name ?? facts.name, MOST_NAME);
  const ports = reachedPorts(facts, settings);
  const { description } = facts;
  const head = renderTemplate(`engines/kubernetes/${job ? "job" : "deployment"}.yaml`, {
    name,
    description: oneLine(description),
    replicas: `${replicas}`,
  });
  const pod = renderTemplate("engines/kubernetes/pod.yaml", podOf(name, ports, facts, settings));
  const listens = ports.length > 0 && !job;
  const service = listens
    ? renderTemplate("engines/kubernetes/service.yaml", {
        name,
        ports: yamlValue(
          ports.map(({ port, protocol }) => ({
            name: portName({ port, protocol }),
            port,
            targetPort: port,
            protocol: protocol.toUpperCase(),
          })),
        ),
      })
    : "";
  const network = networkRules(facts, ports);
  const policy =
    network === undefined
      ? ""
      : renderTemplate("engines/kubernetes/network-policy.yaml", {
          name,
          ingress: yamlValue(network.ingress),
          egress: yamlValue(network.egress),
        });
  return [{ name: "app.yaml", text: head + pod + service + policy }];
}

const portName = ({ port, protocol }: Port): string => `${protocol}-${port}`;

function podOf(
  name: string,
  ports: readonly Port[],
  facts: BundleFacts,
  settings: EngineSettings,
): Record<string, TemplateValue> {
  const { file, start, arch, isRoot } = facts;
  const { image, args, env = [], cpus = 1, memory = "512M" } = settings;
  if (image === undefined) {
    throw errors.optionMissing("image", "the image that `bundle export --to` makes of the bundle");
  }
  const isArtifact = settings.artifactImage !== undefined;
  if (start === undefined && !isArtifact) {
    const what = "records a command line of the runner, of which no container image is made";
    throw errors.engineInput(file, what);
  }
  if (isArtifact && facts.needsNamespace) {
    throw errors.engineInput(
      file,
      "needs a namespace of its own, which a container may not make",
      "Use the image that `bundle export --to` makes of it, whose files need no mount.",
    );
  }
  const written = writtenFolders(facts, isArtifact ? [ARTIFACT] : undefined);
  const { mounts, volumes } = volumesOf(facts, settings, [...facts.volumes, ...written]);
  // Kubernetes replaces $(NAME), and takes two dollar signs for one.
  const literal = (text: string) => text.replaceAll("$", "$$$$");
  const variables = pairsOf([
    ...(isArtifact ? ["FUSELAGE_MOUNT=extract", "FUSELAGE_HOME=/tmp/fuselage"] : []),
    ...(written.includes(HOME) ? [`HOME=${HOME}`] : []),
    ...env,
  ]);
  const secrets = secretsOf(settings);
  const known = variables.filter(([key]) => !secrets.includes(key));
  // Entry scripts of images that are roots change owners and files before they change users.
  const isFenced = !isRoot || isArtifact;
  return {
    name,
    image,
    arch: goArchitectures[arch],
    command: isArtifact ? yamlValue(["/bin/sh", "-c", COPY, "app"]) : undefined,
    args: args && yamlValue(args.map(literal)),
    env:
      known.length + secrets.length === 0
        ? undefined
        : yamlValue([
            ...known.map(([key, value]) => ({ name: key, value: literal(value) })),
            ...secrets.map((key) => ({ name: key, valueFrom: { secretKeyRef: { name, key } } })),
          ]),
    ports:
      ports.length === 0
        ? undefined
        : yamlValue(
            ports.map((one) => ({
              name: portName(one),
              containerPort: one.port,
              protocol: one.protocol.toUpperCase(),
            })),
          ),
    cpu: `${cpus}`,
    memory: `${mebibytes(memory)}Mi`,
    podSecurity: yamlValue({
      ...(isFenced && {
        runAsNonRoot: true,
        runAsUser: userOf(start?.User),
        runAsGroup: NOBODY,
        fsGroup: NOBODY,
      }),
      ...(!isFenced && isPlainUser(facts) && { runAsNonRoot: true }),
      seccompProfile: { type: "RuntimeDefault" },
    }),
    security: yamlValue(securityOf(facts, isFenced)),
    ...probesOf(ports, settings),
    mounts: mounts.length === 0 ? undefined : yamlValue(mounts),
    volumes: volumes.length === 0 ? undefined : yamlValue(volumes),
  };
}

/** Of an image that names its user in numbers, that one, unless it is root. */
function userOf(user: string | undefined): number {
  const [, uid] = /^(\d{1,9})(?::\d{1,9})?$/.exec(user ?? "") ?? [];
  return uid === undefined || Number(uid) === 0 ? NOBODY : Number(uid);
}

/** The files of an image that is a root are the app's own, and stay so. */
function securityOf(facts: BundleFacts, isFenced: boolean): object {
  const dropped = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };
  if (isFenced) return { readOnlyRootFilesystem: true, ...dropped };
  if (facts.permissions === undefined) {
    return { capabilities: { drop: ["NET_RAW", "MKNOD", "AUDIT_WRITE"] } };
  }
  if (isPlainUser(facts)) return dropped;
  return { ...dropped, capabilities: { drop: ["ALL"], add: ENTRY_CAPABILITIES } };
}

/** Where an artifact is mounted: one file, of the name that its title says. */
const ARTIFACT = "/bundle";
/** That is not executable and belongs to root, so a copy is started. */
const COPY = `cp -f ${ARTIFACT}/* /tmp/app && chmod 755 /tmp/app && exec /tmp/app "$@"`;

function volumesOf(
  facts: BundleFacts,
  { artifactImage }: EngineSettings,
  written: readonly string[],
) {
  const mounts: { name: string; mountPath: string; readOnly?: true }[] = [
    { name: "tmp", mountPath: "/tmp" },
  ];
  const volumes: { name: string; emptyDir?: object; image?: object }[] = [
    { name: "tmp", emptyDir: {} },
  ];
  for (const [index, path] of written.entries()) {
    const mountPath = path.replace(/\/+$/, "");
    if (RESERVED.includes(mountPath || "/") || mountPath.includes(":")) {
      throw errors.engineInput(facts.file, `has its data at ${path}, where no volume can be`);
    }
    if (mounts.some((one) => one.mountPath === mountPath)) continue;
    const volume = `data-${index}`;
    mounts.push({ name: volume, mountPath });
    volumes.push({ name: volume, emptyDir: {} });
  }
  if (artifactImage !== undefined) {
    mounts.push({ name: "bundle", mountPath: ARTIFACT, readOnly: true });
    volumes.push({
      name: "bundle",
      image: { reference: artifactImage, pullPolicy: "IfNotPresent" },
    });
  }
  return { mounts, volumes };
}

/** Whether it is up, and whether it still is: of the first TCP port, by a connection or a page. */
function probesOf(ports: readonly Port[], { probe, job = false }: EngineSettings) {
  const first = ports.find(({ protocol }) => protocol === "tcp");
  if (first === undefined && probe !== undefined) {
    throw errors.optionMissing("ports", "the port that is asked for the page of --probe");
  }
  if (first === undefined || job) {
    return { startup: undefined, readiness: undefined, liveness: undefined };
  }
  const port = first.port;
  const asked = probe === undefined ? { tcpSocket: { port } } : { httpGet: { path: probe, port } };
  return {
    startup: yamlValue({ ...asked, periodSeconds: 1, failureThreshold: 60 }),
    readiness: yamlValue({ ...asked, periodSeconds: 5 }),
    liveness: yamlValue({ ...asked, periodSeconds: 10, failureThreshold: 3 }),
  };
}
