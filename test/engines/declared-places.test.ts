// Paths that an app declares, as each engine that puts something there takes or refuses them.
import { describe, expect, test } from "vitest";
import type { BundleFacts } from "../../builder/engines/engine.ts";
import { kubernetes } from "../../builder/engines/kubernetes/kubernetes.ts";
import { portableFiles } from "../../builder/engines/systemd/portable.ts";
import { systemd } from "../../builder/engines/systemd/systemd.ts";
import type { Manifest } from "../../builder/manifest/manifest.ts";
import { engineFacts } from "../support/engine-facts.ts";

const image = "registry.example.org/app:1";
const start = { config: {}, program: "/opt/app/run", user: { uid: 0, gid: 0 }, points: new Map() };

const engines: Record<string, (facts: BundleFacts) => unknown> = {
  kubernetes: (facts) => kubernetes.files(facts, { image }),
  "kubernetes with an artifact": (facts) => kubernetes.files(facts, { image, artifactImage: "a" }),
  portable: (facts) => portableFiles(facts, { name: "app" }, start),
  systemd: (facts) => systemd.files(facts, {}),
};

const IMAGES = ["kubernetes", "portable"];
const EVERYWHERE = Object.keys(engines);

const textOf = async (engine: string, rule: string, more: Partial<Manifest> = {}) =>
  JSON.stringify(await engines[engine]?.(engineFacts({ sandbox: [rule], ...more })));

async function refusal(engine: string, rule: string, more: Partial<Manifest> = {}) {
  const error = await textOf(engine, rule, more).then(
    () => undefined,
    (reason) => reason,
  );
  return error && { code: error.code, path: error.path, message: error.message };
}

describe("a declared path", () => {
  const refused: [rule: string, engines: string[], covered: string, more?: Partial<Manifest>][] = [
    ["fs / rw", ["systemd"], "what the engine has there"],
    ["fs / rw", IMAGES, "the app's own files in /opt/app"],
    ["fs / rw", ["kubernetes with an artifact"], "the app's own files in /bundle"],
    ["fs /dev rw", EVERYWHERE, "what the engine has there"],
    ["fs /proc rw", EVERYWHERE, "what the engine has there"],
    ["fs /sys rw", EVERYWHERE, "what the engine has there"],
    ["fs /dev/ttyS0 rw", IMAGES, "what the engine has there"],
    ["fs /usr rw", IMAGES, "the system of the image"],
    ["fs /etc rw", IMAGES, "the system of the image"],
    ["fs /var rw", IMAGES, "the system of the image"],
    ["fs /run rw", IMAGES, "the system of the image"],
    ["fs /opt rw", IMAGES, "the app's own files in /opt/app"],
    ["fs /opt/app rw", IMAGES, "the app's own files in /opt/app"],
    ["fs /opt/app/data rw", IMAGES, "the app's own files in /opt/app"],
    ["fs /srv rw", IMAGES, "the app's own files in /srv/it", { mountAt: "/srv/it" }],
    ["fs /var/www rw", IMAGES, "files in /var/www/app", { maps: ["share=/var/www/app"] }],
    ["fs /bundle rw", ["kubernetes with an artifact"], "the app's own files in /bundle"],
    ["fs / ro", ["portable"], "the app's own files"],
    ["fs /usr ro", ["portable"], "the system of the image"],
    ["fs / ro", ["portable"], "the system of the image", { root: "image" }],
  ];

  test.each(refused)(
    "by %s is refused by %j, which name it",
    async (rule, names, covered, more) => {
      for (const name of names) {
        const found = await refusal(name, rule, more);
        expect(found, name).toMatchObject({ code: "E_ENGINE_INPUT", path: "/opt/app.run" });
        expect(found?.message, name).toContain(`declares ${rule},`);
        expect(found?.message, name).toContain(covered);
      }
    },
  );

  test.each([
    ["fs /srv/data rw", EVERYWHERE],
    ["fs /etc/app rw", EVERYWHERE],
    ["fs /opt/apple rw", EVERYWHERE],
    ["fs /bundles rw", EVERYWHERE],
    ["fs /usr rw", ["systemd"]],
    ["fs /opt/app rw", ["systemd", "kubernetes with an artifact"]],
    ["fs /sys/class/leds rw", ["systemd"]],
  ])("by %s is put there by %j", async (rule, names) => {
    for (const name of names) {
      const [, place] = rule.split(" ");
      const put = name.startsWith("k") ? `"mountPath":"${place}"` : `BindPaths="-${place}"`;
      const text = (await textOf(name, rule)).replaceAll("\\", "");
      expect(text, name).toContain(put);
    }
  });

  test("that is read is nothing to a cluster, and of a whole machine to a service", async () => {
    for (const rule of ["fs / ro", "fs /usr ro", "fs /proc ro"]) {
      expect(await refusal("kubernetes", rule), rule).toBeUndefined();
    }
    expect(await textOf("systemd", "fs / ro")).not.toContain("BindReadOnlyPaths");
  });
});
