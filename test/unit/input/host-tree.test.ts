import { mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { HostTree } from "../../../builder/input/host-tree.ts";
import type { Node } from "../../../builder/tree/node.ts";
import { pathOnDisk } from "../../../builder/tree/node.ts";
import { resolvePath } from "../../../builder/tree/resolve.ts";
import { Tree } from "../../../builder/tree/tree.ts";
import { type Files, writeFiles } from "../../support/case.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

/** A tree of what is reached from some paths of `app`, beside which `other` lies. */
async function treeOf(
  files: Files,
  paths: readonly string[],
  excluded?: (name: string) => boolean,
) {
  const dir = realpathSync(temporaryDirectory());
  mkdirSync(path.join(dir, "app"));
  writeFiles(dir, files);
  const host = new HostTree({ project: `${dir}/app`, ...(excluded && { excluded }) });
  for (const name of paths) await host.addPath(`${dir}/${name}`);
  await host.settle();
  const tree = new Tree();
  const found = host.get(dir);
  for (const [name, node] of found?.kind === "directory" ? found.entries : []) tree.add(name, node);
  return { dir, host, tree };
}

function textOf(node: Node | undefined): string {
  if (node?.kind !== "file" || node.contents.from !== "disk") return `no file: ${node?.kind}`;
  return readFileSync(Buffer.from(pathOnDisk(node.contents), "latin1"), "utf8");
}

/** What a path of the tree leads to inside it, and how the entry itself is stored. */
function at(tree: Tree, name: string) {
  const found = resolvePath(tree, name);
  const entry = tree.get(name);
  return {
    leads: "found" in found ? textOf(found.found) : found,
    ...(entry?.kind === "symlink" && { target: entry.target }),
  };
}

describe("a link leads in the tree to what it leads to on the host:", () => {
  test.each<[string, Files, string, { leads: string; target?: string }]>([
    [
      "to a file",
      { "app/link": { link: "to/file" } },
      "app/link",
      { leads: "x", target: "to/file" },
    ],
    [
      "to a folder, named by a file behind it",
      { "app/link": { link: "to" } },
      "app/link/file",
      { leads: "x" },
    ],
    [
      "through a chain",
      { "app/a": { link: "b" }, "app/b": { link: "to/c" }, "app/to/c": { link: "./file" } },
      "app/a",
      { leads: "x", target: "b" },
    ],
    [
      "out of the project",
      { "app/link": { link: "../other/file" }, "other/file": "y" },
      "app/link",
      { leads: "y", target: "../other/file" },
    ],
    [
      "out of it, to a folder with links of its own",
      { "app/link": { link: "../other" }, "other/file": { link: "../third" }, third: "z" },
      "app/link/file",
      { leads: "z" },
    ],
    [
      "in a folder that is a link",
      { "app/folder": { link: "real" }, "app/real/in": { link: "../to/file" } },
      "app/folder/in",
      { leads: "x" },
    ],
    [
      "through another link",
      { "app/via": { link: "to" }, "app/link": { link: "via/file" } },
      "app/link",
      { leads: "x", target: "to/file" },
    ],
    [
      "up and down again by the name of the project",
      { "app/link": { link: "../app/to/../to/file" } },
      "app/link",
      { leads: "x", target: "to/file" },
    ],
  ])("%s", async (_, files, name, wanted) => {
    const { tree, host } = await treeOf({ "app/to/file": "x", ...files }, [name]);
    expect(at(tree, name)).toEqual(wanted);
    expect(host.reports.filter(({ what }) => what !== "outside")).toEqual([]);
  });

  test("by an absolute path into the project, and out of it", async () => {
    const { dir } = await treeOf({ "app/file": "x", "other/file": "y" }, []);
    symlinkSync(`${dir}/app/file`, `${dir}/app/inner`);
    symlinkSync(`${dir}/other`, `${dir}/app/outer`);
    const host = new HostTree({ project: `${dir}/app` });
    await host.addPath(`${dir}/app`);
    await host.settle();
    expect(host.get(`${dir}/app/inner`)).toMatchObject({ target: "file" });
    expect(host.get(`${dir}/app/outer`)).toMatchObject({ target: "../other" });
    expect(textOf(host.get(`${dir}/other/file`))).toBe("y");
    expect(host.reports).toEqual([
      { link: `${dir}/app/outer`, target: `${dir}/other`, what: "outside" },
    ]);
  });
});

describe("a link that leads to no file or folder is told, and kept:", () => {
  test.each<[string, Files, string[]]>([
    ["to nothing", { "app/x/link": { link: "gone" } }, ["app/x/link → gone"]],
    [
      "to a link to nothing",
      { "app/x/link": { link: "../a" }, "app/a": { link: "gone" } },
      ["app/a → gone", "app/x/link → ../a"],
    ],
    [
      "in a circle of three",
      { "app/x/a": { link: "b" }, "app/x/b": { link: "../c" }, "app/c": { link: "x/a" } },
      ["app/c → x/a", "app/x/a → b", "app/x/b → ../c"],
    ],
    [
      "in a circle through what would be behind it",
      { "app/x/a": { link: "b/c" }, "app/x/b": { link: "a/d" } },
      ["app/x/a → b/c", "app/x/b → a/d"],
    ],
    ["to itself", { "app/x/a": { link: "a" } }, ["app/x/a → a"]],
  ])("%s", async (_, files, broken) => {
    const { dir, host, tree } = await treeOf(files, ["app/x"]);
    expect(
      host.reports.map(({ link, target }) => `${link.slice(dir.length + 1)} → ${target}`),
    ).toEqual(broken);
    expect(new Set(host.reports.map(({ what }) => what))).toEqual(new Set(["broken"]));
    for (const line of broken) expect(tree.get(line.split(" ")[0] ?? "")?.kind).toBe("symlink");
  });

  test("to a socket, which is left out, and to the devices and processes of each machine", async () => {
    const { dir } = await treeOf({ "app/null": { link: "/dev/null" } }, []);
    symlinkSync("/proc/self/fd/1", `${dir}/app/out`);
    symlinkSync("../socket", `${dir}/app/socket`);
    const server = net.createServer();
    await new Promise<void>((done) => server.listen(`${dir}/socket`, done));
    const host = new HostTree({ project: `${dir}/app` });
    await host.addPath(`${dir}/app`);
    await host.settle();
    server.close();
    expect(host.get(`${dir}/app/null`)).toMatchObject({ target: "/dev/null" });
    expect(host.get(`${dir}/app/out`)).toMatchObject({ target: "/proc/self/fd/1" });
    expect(host.get("/dev")).toBeUndefined();
    expect(host.get(`${dir}/socket`)).toBeUndefined();
    expect(host.reports).toEqual([
      { link: `${dir}/app/socket`, target: `${dir}/socket`, what: "special" },
    ]);
  });

  test("to a folder around it, which would hold itself", async () => {
    const { dir, host, tree } = await treeOf(
      { "app/x/self": { link: "../.." }, "app/x/file": "x", "beside/file": "y" },
      ["app/x"],
    );
    expect(host.reports).toEqual([{ link: `${dir}/app/x/self`, target: dir, what: "above" }]);
    expect(at(tree, "app/x/file")).toEqual({ leads: "x" });
    expect(tree.get("beside")).toBeUndefined();
  });
});

test("what the user leaves out is not brought in by a link to it", async () => {
  const files = { "app/link": { link: "secret/key" }, "app/secret/key": "x" };
  const { tree } = await treeOf(files, ["app/link"], (name) => name === "secret");
  expect(tree.get("app/link")?.kind).toBe("symlink");
  expect(tree.get("app/secret")).toBeUndefined();
});

test("names that are not UTF-8 stay apart, behind links too", async () => {
  const { dir } = await treeOf({ "app/x": "x" }, []);
  const odd = (byte: number) =>
    Buffer.concat([Buffer.from(`${dir}/other\xff/`, "latin1"), Buffer.from([byte])]);
  mkdirSync(Buffer.from(`${dir}/other\xff`, "latin1"));
  writeFileSync(odd(0xfe), "first");
  writeFileSync(odd(0xfd), "second");
  symlinkSync(Buffer.from("../other\xff", "latin1"), `${dir}/app/link`);
  const host = new HostTree({ project: `${dir}/app` });
  await host.addPath(`${dir}/app/link`);
  await host.settle();
  expect(textOf(host.get(`${dir}/other\xff/\xfe`))).toBe("first");
  expect(textOf(host.get(`${dir}/other\xff/\xfd`))).toBe("second");
  expect(host.get(`${dir}/app/link`)).toMatchObject({ target: "../other\xff" });
});

test("a link on the way is there, and nothing but the way behind it", async () => {
  const { tree } = await treeOf(
    { "app/store": { link: "../other" }, "other/a/file": "a", "other/b/file": "b" },
    ["app/store/a"],
  );
  expect(at(tree, "app/store/a/file")).toEqual({ leads: "a" });
  expect(tree.get("other/b")).toBeUndefined();
});
