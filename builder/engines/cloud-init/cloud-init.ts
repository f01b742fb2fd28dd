/** A bundle as the service of a cloud's machine, installed at its first boot: cloud-init's user data. */
import * as errors from "../../errors.ts";
import { renderTemplate } from "../../host/template.ts";
import {
  type BundleFacts,
  type Engine,
  type EngineFile,
  type EngineSettings,
  INSTALLED,
  plainName,
} from "../engine.ts";
import { systemd } from "../systemd/systemd.ts";

export const cloudInit: Engine = {
  output: "file",
  takes: [...systemd.takes, "url"],
  files: userData,
};

const UNITS = "/etc/systemd/system";
const USERS = "/etc/sysusers.d";

/** Clouds take no more: the least of them are 16 KiB (Amazon EC2). */
const MOST_BYTES = 16_384;

async function userData(facts: BundleFacts, settings: EngineSettings): Promise<EngineFile[]> {
  const { url } = settings;
  if (url === undefined) throw errors.optionMissing("url", "where a machine fetches the bundle");
  const name = plainName(settings.name ?? facts.name);
  const program = settings.program ?? `${INSTALLED}/${name}.run`;
  const units = await systemd.files(facts, { ...settings, name, program });
  const installer = `${INSTALLED}/${name}.install`;
  const script = renderTemplate("engines/cloud-init/install.sh", {
    program,
    url,
    sha256: facts.sha256,
    units: units
      .map((unit) => unit.name)
      .filter((file) => /\.(service|socket)$/.test(file))
      .join(" "),
  });
  const files = [
    ...units.map((unit) => fileLines(placeOf(unit.name), "0644", unit.text)),
    fileLines(installer, "0755", script),
  ];
  const text = renderTemplate("engines/cloud-init/user-data.yaml", {
    files: files.flat(),
    installer,
  });
  const bytes = Buffer.byteLength(text);
  if (bytes > MOST_BYTES) {
    const what = `makes ${bytes} bytes of user data, and clouds take ${MOST_BYTES}`;
    throw errors.engineInput(
      facts.file,
      what,
      "Put long arguments and variables into a file of the app.",
    );
  }
  return [{ name: "user-data", text }];
}

/** Lines of an entry of `write_files`. No line of a unit has a character that YAML takes for the end of one. */
function fileLines(path: string, mode: string, text: string): string[] {
  const lines = text.trimEnd().split("\n");
  return renderTemplate("engines/cloud-init/file.yaml", { path, mode, lines })
    .trimEnd()
    .split("\n");
}

const placeOf = (name: string) =>
  name.endsWith(".conf") ? `${USERS}/${name}` : `${UNITS}/${name}`;
