/**
 * The fields of a job that Nomad's own `api` package has (v1.10, `api.Job` as `nomad job run -output` prints it), of those
 * that we write. A field that is misspelled would be passed over by Nomad.
 */
const text = { type: "string", minLength: 1 } as const;
const count = { type: "integer", minimum: 0 } as const;

const object = <P extends object>(properties: P, required: readonly (keyof P & string)[]) => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
});

const list = (items: object, minItems = 0) => ({ type: "array", items, minItems });

const check = object(
  { Type: { enum: ["tcp"] }, PortLabel: text, Interval: count, Timeout: count },
  ["Type", "PortLabel", "Interval", "Timeout"],
);

const service = object(
  { Name: text, Provider: { enum: ["nomad"] }, PortLabel: text, Checks: list(check) },
  ["Name", "Provider", "PortLabel", "Checks"],
);

const port = object({ Label: text, Value: { type: "integer", minimum: 1, maximum: 65535 } }, [
  ...(["Label", "Value"] as const),
]);

const network = object({ Mode: { enum: ["host"] }, ReservedPorts: list(port, 1) }, [
  ...(["Mode", "ReservedPorts"] as const),
]);

const artifact = object(
  {
    GetterSource: text,
    GetterOptions: {
      type: "object",
      properties: {
        checksum: { type: "string", pattern: "^sha256:[0-9a-f]{64}$" },
        archive: { enum: ["false"] },
      },
      required: ["checksum", "archive"],
      additionalProperties: false,
    },
    GetterMode: { enum: ["file"] },
    RelativeDest: { type: "string", pattern: "^local/[^/]+$" },
  },
  ["GetterSource", "GetterOptions", "GetterMode", "RelativeDest"],
);

const template = object(
  {
    EmbeddedTmpl: text,
    DestPath: { type: "string", pattern: "^secrets/" },
    Envvars: { enum: [true] },
    ErrMissingKey: { enum: [true] },
  },
  ["EmbeddedTmpl", "DestPath", "Envvars", "ErrMissingKey"],
);

const task = object(
  {
    Name: text,
    Driver: { enum: ["exec2", "raw_exec"] },
    User: text,
    Config: object({ command: text, args: list({ type: "string" }) }, ["command", "args"]),
    Env: { type: "object", additionalProperties: { type: "string" } },
    KillSignal: text,
    Resources: object({ Cores: count, MemoryMB: count }, ["Cores", "MemoryMB"]),
    Artifacts: list(artifact, 1),
    Templates: list(template, 1),
  },
  ["Name", "Driver", "Config", "Env", "Resources", "Artifacts"],
);

const group = object(
  {
    Name: text,
    Count: count,
    Networks: list(network),
    Services: list(service),
    Tasks: list(task, 1),
  },
  ["Name", "Count", "Tasks"],
);

const constraint = object({ LTarget: text, RTarget: text, Operand: { enum: ["="] } }, [
  ...(["LTarget", "RTarget", "Operand"] as const),
]);

export const nomadJob = object(
  {
    Job: object(
      {
        ID: text,
        Name: text,
        Type: { enum: ["service", "batch"] },
        Region: text,
        Datacenters: list(text, 1),
        Constraints: list(constraint),
        TaskGroups: list(group, 1),
      },
      ["ID", "Name", "Type", "Datacenters", "TaskGroups"],
    ),
  },
  ["Job"],
);
