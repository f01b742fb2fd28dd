/** Configs of images, and what is added to their trees. */
import { expect, test } from "vitest";
import { parseConfig } from "../../../builder/oci/config.ts";
import { Document } from "../../../builder/oci/json.ts";
import { addMountPoints } from "../../../builder/oci/mount-points.ts";
import { directoryNode, fileNode, symlinkNode } from "../../../builder/tree/node.ts";
import { Tree } from "../../../builder/tree/tree.ts";

const parse = (config: unknown) => parseConfig(new Document({ config }, "config"));
const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

test("everything that an image may say", () => {
  const { args, env, image, passedOver } = parse({
    Entrypoint: ["/docker-entrypoint.sh"],
    Cmd: ["nginx", "-g", "daemon off;"],
    Env: ["PATH=/bin", "A=b=c", "EMPTY="],
    WorkingDir: "/srv",
    User: "101:www",
    ExposedPorts: { "80/tcp": {}, 443: {} },
    Volumes: { "/data": {} },
    StopSignal: "quit",
    Labels: { who: "me", note: "a=b" },
  });
  expect(args).toEqual(["/docker-entrypoint.sh"]);
  expect(env).toEqual(["PATH=/bin", "A=b=c", "EMPTY="]);
  expect({ ...image, ports: image.ports?.toSorted() }).toEqual({
    cmd: ["nginx", "-g", "daemon off;"],
    workdir: "/srv",
    user: "101:www",
    ports: ["443/tcp", "80/tcp"],
    volumes: ["/data"],
    stopSignal: "SIGQUIT",
    labels: ["who=me", "note=a=b"],
  });
  expect(passedOver).toEqual([]);
});

test.each([undefined, null, {}, { Cmd: null, Env: null, User: "", WorkingDir: "", Labels: null }])(
  "nothing is said by %j",
  (config) => {
    const { args, env, image } = parse(config);
    expect({ args, env }).toEqual({ args: [], env: [PATH] });
    expect(image.user ?? image.workdir ?? image.stopSignal).toBeUndefined();
    expect(image.cmd ?? []).toEqual([]);
  },
);

test("an Entrypoint of one empty word is none, as for Docker", () => {
  expect(parse({ Entrypoint: [""], Cmd: ["sh"] })).toMatchObject({
    args: [],
    image: { cmd: ["sh"] },
  });
  expect(parse({ Entrypoint: ["env", ""] }).args).toEqual(["env", ""]);
});

test("what means nothing is named and left out", () => {
  const { env, image, passedOver } = parse({
    Env: ["no variable", "=x", "A=b"],
    WorkingDir: "srv",
    ExposedPorts: {
      ...{ "x/tcp": {}, "80/udp": {}, "80/ftp": {}, "0/tcp": {}, "65536": {} },
      ...{ "90-80/tcp": {}, "80-65536/tcp": {}, "8000-8010/sctp": {}, "80-90-100/tcp": {} },
    },
    Volumes: { data: {} },
    StopSignal: "15",
    Labels: { long: "x".repeat(5000), short: "y" },
  });
  expect(env).toEqual([PATH, "A=b"]);
  expect(image).toMatchObject({
    workdir: "/srv",
    ports: ["80/udp", "8000-8010/sctp"],
    volumes: [],
    stopSignal: "15",
  });
  expect(image.labels).toEqual(["short=y"]);
  expect(passedOver).toEqual([
    ...["x/tcp", "80/ftp", "80-90-100/tcp", "65536/tcp", "0/tcp", "90-80/tcp", "80-65536/tcp"].map(
      (port) => `ExposedPorts "${port}"`,
    ),
    'Volumes "data"',
    'the label "long" (5005 bytes)',
  ]);
});

test.each([
  ["web", "web"],
  ["101:102", "101:102"],
  ["web:", "web"],
  ["web::", "web"],
  [":www", "0:www"],
  ["0:0:0", "0:0"],
  [":", undefined],
  ["::7", undefined],
  // No users at all: the start says so.
  ["-1", "-1"],
  ["web\n", "web\n"],
])("the user %j is %j", (User, user) => {
  const { image, passedOver } = parse({ User });
  expect(image.user).toBe(user);
  expect(passedOver).toEqual([]);
});

test.each([
  { Cmd: "text" },
  { Env: [7] },
  { Labels: { a: 1 } },
  { ExposedPorts: [] },
  { Cmd: ["a\0b"] },
  [],
])("what is of another type is refused: %j", (config) => {
  expect(() => parse(config)).toThrow(expect.objectContaining({ code: "E_OCI_INVALID" }));
});

test("mount points are added where they are missing", () => {
  const tree = new Tree();
  tree.add("tmp", symlinkNode("var/tmp"));
  tree.add("conf", directoryNode());
  tree.add("etc", symlinkNode("/conf"));
  tree.add("conf/hosts", fileNode("own"));
  expect(addMountPoints(tree)).toEqual([
    "dev",
    "proc",
    "run",
    "sys",
    "conf/hostname",
    "conf/resolv.conf",
  ]);
  expect(tree.get("tmp")).toMatchObject({ kind: "symlink" });
  expect(addMountPoints(tree)).toEqual([]);
});

test("a file in the place of etc stays", () => {
  const tree = new Tree();
  tree.add("etc", fileNode("odd"));
  expect(addMountPoints(tree)).toEqual(["dev", "proc", "run", "sys", "tmp"]);
});
