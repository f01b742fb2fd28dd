/**
 * A bundle as a Fusefile, Fuse's own file of a machine: `scripts/spec/fuse/fusefile-v1.json`. Files above 512 KiB cannot
 * travel with it, so the machine fetches the bundle.
 */
import * as errors from "../../errors.ts";
import { renderTemplate, yamlString } from "../../host/template.ts";
import {
  type BundleFacts,
  type Engine,
  type EngineFile,
  type EngineSettings,
  pairsOf,
} from "../engine.ts";
import { labelName, portsOf, secretsOf } from "../settings.ts";
import { fetchScript, healthCommand, runScript } from "./guest.ts";

export const fuse: Engine = {
  output: "file",
  takes: ["name", "args", "env", "url", "ports", "cpus", "memory", "region", "secrets"],
  files: fusefile,
};

function fusefile(facts: BundleFacts, settings: EngineSettings): EngineFile[] {
  const { sha256, size, arch } = facts;
  const { url, args = [], env = [], cpus = 1, memory = "512M", region } = settings;
  if (url === undefined) throw errors.optionMissing("url", "where the machine fetches the bundle");
  const name = labelName(settings.name ?? facts.name);
  // What is exposed is TCP; what else the app listens on is its own.
  const ports = portsOf(facts, settings).filter(({ protocol }) => protocol === "tcp");
  const secrets = secretsOf(settings);
  const values = [
    ...pairsOf(env).map(([key, value]) => `${yamlString(key)}: {value: ${yamlString(value)}}`),
    ...secrets.map((key) => `${yamlString(key)}: {secret: ${yamlString(key)}}`),
  ];
  const text = renderTemplate("engines/fuse/Fusefile", {
    name,
    cpus: `${cpus}`,
    memory,
    region,
    env: values.length === 0 ? undefined : `{${values.join(", ")}}`,
    secrets: secrets.length === 0 ? undefined : list(secrets),
    fetch: blockOf(fetchScript({ name, url, sha256, size, arch, args }), 6),
    run: blockOf(runScript({ name, args }), 2),
    expose:
      ports.length === 0 ? undefined : `[${ports.map(({ port }) => `{port: ${port}}`).join(", ")}]`,
    health: list(
      healthCommand(
        name,
        ports.map(({ port }) => port),
      ),
    ),
  });
  return [{ name: "Fusefile", text }];
}

/**
 * A text of lines as people read it, where YAML has a way to write it so.
 *
 * @param indent columns
 */
function blockOf(text: string, indent: number): string {
  if (!/^[!-~][\t\n -~]*[!-~]\n$/.test(text)) return yamlString(text);
  const lines = text.slice(0, -1).split("\n");
  return ["|", ...lines.map((line) => (line === "" ? "" : " ".repeat(indent) + line))].join("\n");
}

const list = (texts: readonly string[]): string => `[${texts.map(yamlString).join(", ")}]`;
