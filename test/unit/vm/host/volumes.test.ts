import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { serverCommand, usableVirtiofsd } from "../../../../builder/vm/host/virtiofsd.ts";
import { parseVolume } from "../../../../builder/vm/host/volumes.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

const dir = realpathSync(temporaryDirectory());
const odd = path.join(dir, "a:b, c");
mkdirSync(odd);
writeFileSync(path.join(dir, "file"), "");

test("the last colon before a slash parts the two", () => {
  expect(parseVolume(`${odd}:/data`)).toEqual({ source: odd, target: "/data", readOnly: false });
  expect(parseVolume(`${dir}:/a//b:ro`)).toEqual({ source: dir, target: "/a/b", readOnly: true });
});

test.each([
  ["/data", "E_OPTION_VALUE"],
  [`${dir}:data`, "E_OPTION_VALUE"],
  [`${dir}:/`, "E_OPTION_VALUE"],
  [`${dir}:/a/../b`, "E_OPTION_VALUE"],
  [`${dir}:/a:rx`, "E_OPTION_VALUE"],
  [`${dir}/none:/a`, "E_VM_VOLUME"],
  [`${dir}/file:/a`, "E_VM_VOLUME"],
])("refuses %s", (text, code) => {
  expect(() => parseVolume(text)).toThrow(expect.objectContaining({ code }));
});

const older = { program: "virtiofsd", isRust: false, hasReadOnly: false };
const newer = { program: "virtiofsd", isRust: true, hasReadOnly: true };
const volume = { source: "/a,b", target: "/v", readOnly: true };

test("the older server gets a view that nobody can write to, and commas as it reads them", () => {
  const words = serverCommand(older, volume, "/s");
  expect(words[0]).toBe("unshare");
  expect(words).toContain("source=/a\\,b");
});

test("the newer server refuses changes itself", () => {
  const words = serverCommand(newer, volume, "/s");
  expect(words).toEqual([
    ...["virtiofsd", "--socket-path=/s", "--shared-dir=/a,b", "--cache=auto", "--readonly"],
  ]);
});

test("whom a server serves", () => {
  const changed = { ...volume, readOnly: false };
  const between = { ...newer, hasReadOnly: false };
  expect(usableVirtiofsd(undefined, [volume], true)).toBe("virtiofsd is not installed");
  expect(usableVirtiofsd(older, [volume], true)).toBe(older);
  expect(usableVirtiofsd(older, [changed], false)).toBe("virtiofsd shares folders for root alone");
  expect(usableVirtiofsd(between, [changed], false)).toBe(between);
  expect(usableVirtiofsd(between, [changed, volume], false)).toContain("nothing read-only");
  expect(usableVirtiofsd(newer, [volume], false)).toBe(newer);
});
