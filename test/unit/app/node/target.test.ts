/** Names of packages that are made for one machine each. */
import { describe, expect, test } from "vitest";
import { namesOtherMachine, targetFor } from "../../../../builder/app/node/target.ts";

const x64 = targetFor("x86_64", "glibc");
const musl = targetFor("aarch64", "musl");

describe("for another machine", () => {
  test.each([
    ["@esbuild/win32-x64", x64],
    ["@node-rs/crc32-win32-ia32-msvc", x64],
    ["@node-rs/crc32-android-arm-eabi", x64],
    ["@swc/core-darwin-universal", x64],
    ["@rollup/rollup-linux-arm-gnueabihf", x64],
    ["@img/sharp-linuxmusl-x64", x64],
    ["@parcel/watcher-linux-x64-musl", x64],
    ["@img/sharp-wasm32", x64],
    ["@node-rs/crc32-wasm32-wasi", musl],
    ["@esbuild/linux-x64", musl],
    ["@node-rs/crc32-linux-arm64-gnu", musl],
  ])("%s", (name, target) => {
    expect(namesOtherMachine(name, target)).toBe(true);
  });
});

describe("for the target, or for no machine at all", () => {
  test.each([
    ["@esbuild/linux-x64", x64],
    ["@node-rs/crc32-linux-x64-gnu", x64],
    ["@img/sharp-linuxmusl-arm64", musl],
    ["@esbuild/linux-arm64", musl],
    ["fsevents", x64],
    ["appium-android-driver", x64],
    ["node-windows", x64],
    ["@azure/arm-compute", x64],
  ])("%s", (name, target) => {
    expect(namesOtherMachine(name, target)).toBe(false);
  });
});
