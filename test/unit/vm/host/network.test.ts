import { expect, test } from "vitest";
import { checkOptions } from "../../../../builder/config/validate.ts";
import {
  networkArguments,
  networkRecords,
  resolveNetwork,
} from "../../../../builder/vm/host/network.ts";

test("no network without a word", () => {
  expect(resolveNetwork({})).toEqual({ kind: "none" });
  expect(networkArguments({ kind: "none" })).toEqual([]);
});

test("published ports alone lead nothing out, and the guest has no server of names", () => {
  const network = resolveNetwork({ publish: ["8080:80", "0.0.0.0:53:5353"] });
  expect(networkArguments(network)[1]).toBe(
    "user,id=net,ipv6=off,restrict=on,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=tcp:0.0.0.0:53-:5353",
  );
  expect(networkRecords(network).map(([name]) => name)).toEqual(["address", "gateway"]);
});

test("a network of the user's leads out", () => {
  const network = resolveNetwork({ network: "user" });
  expect(networkArguments(network)[1]).toBe("user,id=net,ipv6=off,restrict=off");
  expect(networkRecords(network).map(([name]) => name)).toContain("nameserver");
});

test("a tap has the address that was given", () => {
  const network = resolveNetwork({ network: "tap:vm0", address: "10.1.0.2/24" });
  expect(networkArguments(network)[1]).toContain("ifname=vm0,script=no");
  expect(networkRecords(network)).toEqual([["address", "10.1.0.2/24"]]);
});

test.each([
  [{ network: "bridge" }, "E_OPTION_VALUE"],
  [{ network: "tap:a,script=x" }, "E_OPTION_VALUE"],
  [{ network: "tap:" }, "E_OPTION_VALUE"],
  [{ publish: ["80"] }, "E_OPTION_VALUE"],
  [{ publish: ["0:80"] }, "E_OPTION_VALUE"],
  [{ publish: ["80:65536"] }, "E_OPTION_VALUE"],
  [{ publish: ["1.2.3.400:80:80"] }, "E_OPTION_VALUE"],
  [{ network: "none", publish: ["80:80"] }, "E_OPTION_CONFLICT"],
  [{ network: "tap:vm0", publish: ["80:80"] }, "E_OPTION_CONFLICT"],
  [{ address: "10.0.0.1/8" }, "E_OPTION_CONFLICT"],
])("refuses %j", (options, code) => {
  expect(() => resolveNetwork(options)).toThrow(expect.objectContaining({ code }));
});

test.each(["vm", "export"] as const)("%s takes addresses that there are", (command) => {
  for (const gateway of ["0.0.0.0", "10.0.0.1", "255.255.255.255"]) {
    checkOptions(command, { gateway, address: `${gateway}/32` });
  }
  const code = "E_OPTION_VALUE";
  for (const gateway of [
    "256.0.0.1",
    "10.0.0",
    "10.0.0.1.2",
    "1e1.0.0.1",
    "010.0.0.1",
    "::1",
    "",
  ]) {
    const refused = expect.objectContaining({ code });
    expect(() => checkOptions(command, { gateway }), gateway).toThrow(refused);
    expect(() => checkOptions(command, { address: `${gateway}/24` }), gateway).toThrow(refused);
  }
  for (const bits of ["", "/", "/33", "/-1", "/024"]) {
    expect(() => checkOptions(command, { address: `10.0.0.1${bits}` }), bits).toThrow(
      expect.objectContaining({ code }),
    );
  }
});
