// Files for engines that start a bundle on one of many machines, against what those engines take.
import { readFileSync } from "node:fs";
import path from "node:path";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Deployment, type IDeploymentSpec } from "kubernetes-models/apps/v1";
import { type IJobSpec, Job } from "kubernetes-models/batch/v1";
import { type INetworkPolicySpec, NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { type IContainer, type IPodSpec, type IServiceSpec, Service } from "kubernetes-models/v1";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import type { EngineSettings } from "../../builder/engines/engine.ts";
import { fuse } from "../../builder/engines/fuse/fusefile.ts";
import { fetchScript, runScript } from "../../builder/engines/fuse/guest.ts";
import { kubernetes } from "../../builder/engines/kubernetes/kubernetes.ts";
import { nomad } from "../../builder/engines/nomad/nomad.ts";
import type { Manifest } from "../../builder/manifest/manifest.ts";
import { byteString } from "../../builder/tree/path.ts";
import { engineFacts, SHA256 } from "../support/engine-facts.ts";
import { helloBundle } from "../support/hello-bundle.ts";
import { bundleCommand, root, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { nomadJob } from "./nomad-schema.ts";

const url = "https://downloads.example.org/app.run?a='b'&c=$(d)";

/** What some format or engine would take for something of its own. */
const hostile = [
  "a\nimage: other",
  "\"q\" 's' $HOME ${V} $(V) $$ %n %% %{v} \\n",
  "{{name}} {a: b} [c] #d &e *f !g |h >i @j `k",
  "\u2028\u0085\u007f\ufeff\u001b\t\r",
  ...["yes", "1e3", "", "-", "~", "<<", "ä😀"],
];

const textOf = async (
  engine: typeof fuse,
  settings: EngineSettings,
  more: Partial<Manifest> = {},
): Promise<string> => (await engine.files(engineFacts(more), settings))[0]?.text ?? "";

const recorded: Partial<Manifest> = { ports: ["80/tcp", "53/udp", "9000-9002/tcp"], root: "image" };

/** An app that writes to a home of its user's, and may do anything with the network. */
const homely = ["fs home rw", "net all"];

describe("a Fusefile", () => {
  const schema = JSON.parse(
    readFileSync(path.join(root, "scripts/spec/fuse/fusefile-v1.json"), "utf8"),
  );
  const validate = new Ajv2020({ strict: false }).compile(schema);
  const fusefile = async (settings: EngineSettings, more?: Partial<Manifest>) => {
    const file = parse(await textOf(fuse, { url, ...settings }, more));
    expect(validate(file), JSON.stringify(validate.errors)).toBe(true);
    return file;
  };

  test("says all that it was told, as its schema has it", async () => {
    const file = await fusefile({
      name: "Web_App.run",
      cpus: 2,
      memory: "2G",
      region: "eu",
      env: ["MODE=it's"],
      secrets: ["TOKEN"],
      ports: ["8080", "53/udp"],
      args: ["--serve"],
    });
    expect(file).toMatchObject({
      version: 1,
      name: "web-app",
      resources: { cpus: 2, memory: "2G", region: "eu" },
      env: { MODE: { value: "it's" }, TOKEN: { secret: "TOKEN" } },
      secrets: ["TOKEN"],
      expose: [{ port: 8080 }],
    });
  });

  test("has the scripts that `bundle deploy` sends, byte for byte, whatever is in an argument", async () => {
    for (const arg of ["plain", ...hostile]) {
      const args = [arg];
      const { build, run } = await fusefile({ args });
      const bundle = { name: "app", url, sha256: SHA256, size: 1000, arch: "x86_64", args };
      expect(build).toEqual([{ cache: false, run: fetchScript(bundle) }]);
      expect(run).toBe(runScript(bundle));
    }
  });

  test("takes the ports that a bundle records, and any value of a variable", async () => {
    const { expose } = await fusefile({}, recorded);
    expect(expose).toEqual([80, 9000, 9001, 9002].map((port) => ({ port })));
    for (const value of hostile) {
      expect((await fusefile({ env: [`V=${value}`] })).env).toEqual({ V: { value } });
    }
  });
});

describe("no name is given twice", () => {
  const settings = { ports: ["80", "80/tcp", "80/udp"], env: ["A=1", "HOME=/srv", "A=2"] };

  test("of a port", async () => {
    const { Job } = JSON.parse(await textOf(nomad, { url, ...settings }));
    expect(Job.TaskGroups[0].Networks[0].ReservedPorts).toHaveLength(2);
    const overlapping = { ports: ["80/tcp", "79-81/tcp"] };
    for (const [ports, more] of [[settings.ports], [undefined, overlapping]] as const) {
      const text = await textOf(kubernetes, { image: "app", ports: ports && [...ports] }, more);
      const [, service] = parseAllDocuments(text).map((one) => one.toJS());
      const names = service.spec.ports.map(({ name }: { name: string }) => name);
      expect(names).toEqual([...new Set(names)]);
      expect(names).toContain("tcp-80");
    }
  });

  test("of a variable, which has the last value", async () => {
    const env = { HOME: "/srv", A: "2" };
    const pod = await textOf(kubernetes, { image: "app", ...settings }, { sandbox: homely });
    const [deployment] = parseAllDocuments(pod).map((one) => one.toJS());
    expect(deployment.spec.template.spec.containers[0].env).toEqual(
      Object.entries(env).map(([name, value]) => ({ name, value })),
    );
    const machine = parse(await textOf(fuse, { url, ...settings, secrets: ["B", "B"] }));
    expect(machine.env.A).toEqual({ value: "2" });
    expect(machine.secrets).toEqual(["B"]);
  });

  test("of a secret and of a variable", async () => {
    for (const [engine, where] of [
      ...([[fuse, { url }] as const, [nomad, { url }] as const] as const),
      [kubernetes, { image: "app" }] as const,
    ]) {
      const both = { ...where, ...settings, secrets: ["A"] };
      await expect(textOf(engine, both)).rejects.toMatchObject({ code: "E_OPTION_CONFLICT" });
    }
    const pod = await textOf(
      kubernetes,
      { image: "app", name: "web", secrets: ["HOME", "TOKEN", "TOKEN"] },
      { sandbox: homely },
    );
    const [deployment] = parseAllDocuments(pod).map((one) => one.toJS());
    expect(deployment.spec.template.spec.containers[0].env).toEqual(
      ["HOME", "TOKEN"].map((key) => ({
        name: key,
        valueFrom: { secretKeyRef: { name: "web", key } },
      })),
    );
  });
});

describe("a job of Nomad", () => {
  const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(nomadJob);
  const job = async (settings: EngineSettings, more?: Partial<Manifest>) => {
    const file = JSON.parse(await textOf(nomad, { url, ...settings }, more));
    expect(validate(file), JSON.stringify(validate.errors)).toBe(true);
    return file.Job;
  };

  test("fetches the bundle and holds it against its digest", async () => {
    const { TaskGroups, Type } = await job({ ports: ["8080"], cpus: 2, memory: "1G", replicas: 3 });
    expect(Type).toBe("service");
    const [group] = TaskGroups;
    expect(group.Count).toBe(3);
    expect(group.Networks[0].ReservedPorts).toEqual([{ Label: "p8080-tcp", Value: 8080 }]);
    const [task] = group.Tasks;
    expect(task.Resources).toEqual({ Cores: 2, MemoryMB: 1024 });
    expect(task.Artifacts).toEqual([
      {
        GetterSource: url,
        GetterOptions: { checksum: `sha256:${SHA256}`, archive: "false" },
        GetterMode: "file",
        RelativeDest: "local/app.run",
      },
    ]);
  });

  test("is started as its driver can", async () => {
    const [exec2] = (await job({ args: ["a"] })).TaskGroups[0].Tasks;
    expect(exec2).toMatchObject({ Driver: "exec2", Env: { FUSELAGE_MOUNT: "extract" } });
    expect(exec2.Config.args.slice(2)).toEqual(["${NOMAD_TASK_DIR}/app.run", "a"]);
    const [raw] = (await job({ driver: "raw_exec", job: true })).TaskGroups[0].Tasks;
    expect(raw).toMatchObject({ Driver: "raw_exec", User: "nobody" });
    expect(raw.Config).toEqual({ command: "${NOMAD_TASK_DIR}/app.run", args: [] });
    await expect(job({}, { mountAt: "/run/fuselage/a" })).rejects.toThrow("a namespace of its own");
    await expect(job({ driver: "raw_exec" }, { mountAt: "/run/fuselage/a" })).resolves.toBeTruthy();
  });

  test("has the variables of the job in the place of secrets", async () => {
    const [task] = (await job({ name: "web", secrets: ["TOKEN", "KEY"] })).TaskGroups[0].Tasks;
    expect(task.Templates).toEqual([
      {
        EmbeddedTmpl:
          '{{ with nomadVar "nomad/jobs/web" }}\nTOKEN={{ .TOKEN | toJSON }}\nKEY={{ .KEY | toJSON }}\n{{ end }}\n',
        DestPath: "secrets/variables",
        Envvars: true,
        ErrMissingKey: true,
      },
    ]);
    expect((await job({})).TaskGroups[0].Tasks[0]).not.toHaveProperty("Templates");
  });

  test("has every text as it is", async () => {
    for (const value of hostile) {
      const [task] = (await job({ env: [`V=${value}`], args: [value] })).TaskGroups[0].Tasks;
      expect(task.Env.V).toBe(value);
      expect(task.Config.args.at(-1)).toBe(value);
    }
  });
});

/** The models take fields that there are not; their types do not. */
const known = {
  specs: [
    ...(["replicas", "selector", "template", "backoffLimit", "completions", "ports"] as const),
    "parallelism" as const,
    ...(["podSelector", "policyTypes", "ingress", "egress"] as const),
  ] satisfies (
    | keyof IDeploymentSpec
    | keyof IJobSpec
    | keyof INetworkPolicySpec
    | keyof IServiceSpec
  )[],
  pods: [
    ...(["automountServiceAccountToken", "enableServiceLinks", "nodeSelector"] as const),
    ...(["securityContext", "containers", "volumes", "restartPolicy"] as const),
  ] satisfies (keyof IPodSpec)[],
  containers: [
    ...(["name", "image", "command", "args", "env", "ports", "resources"] as const),
    ...(["securityContext", "startupProbe", "readinessProbe", "livenessProbe"] as const),
    "volumeMounts" as const,
  ] satisfies (keyof IContainer)[],
};

describe("manifests of Kubernetes", () => {
  const documents = async (settings: EngineSettings, more?: Partial<Manifest>) => {
    const text = await textOf(
      kubernetes,
      { image: "registry.example.org/app:1", ...settings },
      more,
    );
    return parseAllDocuments(text).map((document) => {
      expect(document.errors).toEqual([]);
      return document.toJS();
    });
  };
  const models = { Deployment, Job, Service, NetworkPolicy };
  const valid = async (settings: EngineSettings, more?: Partial<Manifest>) => {
    const all = await documents(settings, more);
    for (const one of all) {
      const pod = one.spec.template?.spec;
      expect(known.specs).toEqual(expect.arrayContaining(Object.keys(one.spec)));
      expect(known.pods).toEqual(expect.arrayContaining(Object.keys(pod ?? {})));
      for (const container of pod?.containers ?? []) {
        expect(known.containers).toEqual(expect.arrayContaining(Object.keys(container)));
      }
      const Model = models[one.kind as keyof typeof models];
      expect(() => new Model(one).validate(), JSON.stringify(one)).not.toThrow();
    }
    return all;
  };

  test("are a Deployment that has no right it does not need, and a Service", async () => {
    const [deployment, service] = await valid({
      ports: ["8080", "53/udp"],
      replicas: 3,
      cpus: 2,
      memory: "1G",
      args: ["--serve"],
      env: ["MODE=x"],
      secrets: ["TOKEN"],
      probe: "/health",
    });
    expect(deployment).toMatchObject({ kind: "Deployment", spec: { replicas: 3 } });
    const { containers, ...pod } = deployment.spec.template.spec;
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65534,
        seccompProfile: { type: "RuntimeDefault" },
      },
    });
    expect(containers[0]).toMatchObject({
      args: ["--serve"],
      env: [
        { name: "MODE", value: "x" },
        { name: "TOKEN", valueFrom: { secretKeyRef: { name: "app", key: "TOKEN" } } },
      ],
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      },
      readinessProbe: { httpGet: { path: "/health", port: 8080 } },
      resources: { limits: { memory: "1024Mi" }, requests: { cpu: "2" } },
    });
    expect(service.spec.ports).toEqual([
      { name: "tcp-8080", port: 8080, targetPort: 8080, protocol: "TCP" },
      { name: "udp-53", port: 53, targetPort: 53, protocol: "UDP" },
    ]);
  });

  test("are a Job, with no Service, for what runs to its end", async () => {
    const all = await valid({ job: true, replicas: 2, ports: ["80"] });
    expect(all.map(({ kind }) => kind)).toEqual(["Job"]);
    expect(all[0].spec).toMatchObject({ completions: 2, parallelism: 2 });
    expect(all[0].spec.template.spec.containers[0].readinessProbe).toBeUndefined();
  });

  test("leave a root image what its entry script needs, and give its data a volume", async () => {
    const more = { ...recorded, volumes: [byteString("/var/lib/a b")] };
    const [deployment] = await valid({}, more);
    const { containers, volumes, securityContext } = deployment.spec.template.spec;
    expect(securityContext).toEqual({ seccompProfile: { type: "RuntimeDefault" } });
    expect(containers[0].securityContext).not.toHaveProperty("readOnlyRootFilesystem");
    expect(containers[0].volumeMounts).toContainEqual({
      name: "data-0",
      mountPath: "/var/lib/a b",
    });
    expect(volumes).toContainEqual({ name: "data-0", emptyDir: {} });
    await expect(
      documents(
        {},
        {
          ...recorded,
          volumes: [byteString("/proc/")],
        },
      ),
    ).rejects.toThrow("no volume can be");
  });

  test("mount an artifact, of which a copy is started", async () => {
    const [deployment] = await documents({
      artifactImage: "registry.example.org/app:run",
      args: ["a"],
    });
    const { containers, volumes } = deployment.spec.template.spec;
    expect(volumes).toContainEqual({
      name: "bundle",
      image: { reference: "registry.example.org/app:run", pullPolicy: "IfNotPresent" },
    });
    expect(containers[0]).toMatchObject({
      command: ["/bin/sh", "-c", expect.stringContaining("/bundle/*"), "app"],
      args: ["a"],
    });
    await expect(
      documents({ artifactImage: "a", ports: [] }, { mountAt: "/run/fuselage/a" }),
    ).rejects.toThrow("a namespace of its own");
  });

  test("keep an app to the network that it declares", async () => {
    const policyOf = async (sandbox: string[], ports: string[] = []) => {
      const all = await valid({ ports }, { sandbox });
      return all.find(({ kind }) => kind === "NetworkPolicy")?.spec;
    };
    expect(await policyOf(["net all"])).toBeUndefined();
    expect(await policyOf(["net none"])).toEqual({
      podSelector: { matchLabels: { "app.kubernetes.io/name": "app" } },
      policyTypes: ["Ingress", "Egress"],
      ingress: [],
      egress: [],
    });
    const both = ["net connect 443", "net connect 5432", "net listen 8080", "net udp"];
    expect(await policyOf(both, ["8080", "53/udp"])).toMatchObject({
      ingress: [
        {
          ports: [
            { protocol: "TCP", port: 8080 },
            { protocol: "UDP", port: 53 },
          ],
        },
      ],
      egress: [
        {
          ports: [
            { protocol: "TCP", port: 443 },
            { protocol: "TCP", port: 5432 },
            { protocol: "UDP" },
          ],
        },
      ],
    });
    // A rule of no ports would be one of all.
    expect(await policyOf(["net connect 443"])).toMatchObject({ ingress: [] });
    expect(await policyOf(["net listen 0"], ["81"])).toMatchObject({
      ingress: [{ ports: [{ protocol: "TCP" }] }],
      egress: [],
    });
    // What is recorded and not declared is not there.
    const [, ...more] = await valid({}, { ports: ["80/tcp"], sandbox: ["net none"] });
    expect(more.map(({ kind }) => kind)).toEqual(["NetworkPolicy"]);
    for (const [sandbox, port] of [
      [["net none"], "80"],
      [["net listen 8080"], "80"],
      [["net listen 53"], "53/udp"],
    ] as const) {
      await expect(documents({ ports: [port] }, { sandbox: [...sandbox] })).rejects.toMatchObject({
        code: "E_ENGINE_INPUT",
        message: expect.stringContaining(`reached at ${port.includes("/") ? port : `${port}/tcp`}`),
      });
    }
  });

  test("give an app the folders that it declares to write to", async () => {
    const sandbox = ["fs /data rw", "fs /srv ro", "fs home rw", "net none"];
    const [deployment] = await valid({ env: ["A=b"] }, { sandbox, volumes: ["/data"] });
    const { containers, volumes } = deployment.spec.template.spec;
    expect(containers[0].volumeMounts.map((one: { mountPath: string }) => one.mountPath)).toEqual([
      ...["/tmp", "/data", "/var/lib/app"],
    ]);
    expect(volumes.every((one: object) => "emptyDir" in one)).toBe(true);
    expect(containers[0].env[0]).toEqual({ name: "HOME", value: "/var/lib/app" });
    expect(containers[0].securityContext.readOnlyRootFilesystem).toBe(true);
  });

  test("leave a root image that declares what it does what entry scripts need, or nothing", async () => {
    const sandbox = ["net listen 80"];
    const securityOf = async (user: string | undefined) => {
      const more = { root: "image" as const, sandbox, ...(user !== undefined && { user }) };
      const [deployment] = await valid({ ports: ["80"] }, more);
      const { containers, securityContext } = deployment.spec.template.spec;
      return { pod: securityContext, container: containers[0].securityContext };
    };
    for (const user of [undefined, "0", "0:0", "web"]) {
      const { pod, container } = await securityOf(user);
      expect(pod).toEqual({ seccompProfile: { type: "RuntimeDefault" } });
      expect(container).toMatchObject({ allowPrivilegeEscalation: false });
      expect(container.capabilities).toMatchObject({ drop: ["ALL"] });
      expect(container.capabilities.add).toContain("SETUID");
    }
    for (const user of ["101", "101:102"]) {
      const { pod, container } = await securityOf(user);
      expect(pod).toMatchObject({ runAsNonRoot: true });
      expect(container).toEqual({
        allowPrivilegeEscalation: false,
        capabilities: { drop: ["ALL"] },
      });
    }
  });

  test("have every text as it is, and nothing that Kubernetes would replace", async () => {
    for (const value of hostile) {
      const label = byteString(`org.opencontainers.image.description=${value}`);
      const more = { labels: [label], name: byteString(value || "n") };
      const [deployment] = await valid({ env: [`V=${value}`], args: [value] }, more);
      const [container] = deployment.spec.template.spec.containers;
      const kept = value.split("$").join("$$");
      expect(container.env).toEqual([{ name: "V", value: kept }]);
      expect(container.args).toEqual([kept]);
      expect(deployment.metadata.name).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
      expect(Object.keys(deployment.spec).sort()).toEqual(["replicas", "selector", "template"]);
    }
  });
});

test("the schemas take nothing that is misspelled", async () => {
  const job = JSON.parse(await textOf(nomad, { url }));
  job.Job.TaskGroups[0].Tasks[0].Artifact = [];
  expect(new Ajv().validate(nomadJob, job)).toBe(false);
  const text = await textOf(kubernetes, { image: "a" });
  const [deployment] = parseAllDocuments(text).map((document) => document.toJS());
  deployment.spec.template.spec.containers[0].ports = "80";
  expect(() => new Deployment(deployment).validate()).toThrow("must be array");
});

test("the command writes the same bytes each time, and says what is missing", async () => {
  const { file } = await helloBundle();
  const dir = temporaryDirectory();
  const bundle = (...args: string[]) =>
    run(process.execPath, [bundleCommand, "export", file, ...args]);
  for (const [engine, needs] of [
    ["kubernetes", ["--image", "registry.example.org/hello:1"]],
    ["nomad", ["--url", "https://example.org/hello.run"]],
    ["fuse", ["--url", "https://example.org/hello.run"]],
  ] as const) {
    const out = path.join(dir, engine);
    const without = await bundle(`--${engine}`, out);
    expect(without.stderr).toContain(`E_OPTION_MISSING] ${needs[0]} is missing`);
    expect((await bundle(`--${engine}`, out, ...needs)).status).toBe(0);
    const first = readFileSync(out);
    expect((await bundle(`--${engine}`, out, ...needs)).stderr).toContain("E_ENGINE_EXISTS");
    expect((await bundle(`--${engine}`, out, ...needs, "--force")).status).toBe(0);
    expect(readFileSync(out).equals(first)).toBe(true);
    const strange = await bundle(`--${engine}`, out, ...needs, "--socket", "80");
    expect(strange.stderr).toContain(`--socket says nothing to --${engine}`);
  }
});
