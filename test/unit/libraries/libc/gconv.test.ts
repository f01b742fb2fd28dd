/** Which modules of iconv go along, and the table that names them. */
import path from "node:path";
import { describe, expect, test } from "vitest";
import { chooseGconv } from "../../../../builder/libraries/libc/gconv.ts";
import { writeFiles } from "../../../support/case.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

const folder = temporaryDirectory();
writeFiles(folder, {
  "gconv-modules": [
    "# The usual ones",
    "alias\tLATIN1//\t\tISO-8859-1//",
    "module\tISO-8859-1//\t\tINTERNAL\t\tISO8859-1\t1",
    "module\tINTERNAL\t\tISO-8859-1//\t\tISO8859-1\t1",
    "alias  UTF16//  UTF-16//",
    "module\tUTF-16//\tINTERNAL\tUTF-16\t1   # both ways",
    "module\tINTERNAL\tUTF-16//\tUTF-16\t1",
    "module\tINTERNAL\tISO-10646//\tNOT-HERE\t1",
    "nonsense line",
    "",
  ].join("\n"),
  "gconv-modules.d/extra.conf": [
    "alias\tUJIS//\tEUC-JP//",
    "module\tEUC-JP//\tINTERNAL\tEUC-JP\t1",
    "module\tINTERNAL\tEUC-JP//\tEUC-JP\t1",
    "module\tSJIS//\tINTERNAL\tSJIS\t1",
    "module\tINTERNAL\tSJIS//\tSJIS\t1",
  ].join("\n"),
  ...Object.fromEntries(
    ["ISO8859-1", "UTF-16", "EUC-JP", "SJIS", "libJIS"].map((name) => [`${name}.so`, name]),
  ),
});

const shares: Record<string, string[]> = { "EUC-JP.so": ["libJIS.so"] };
const choose = (wanted?: readonly string[]) =>
  chooseGconv(folder, wanted, async (file) => shares[path.basename(file)] ?? []);

describe("the modules are", () => {
  test("the usual ones by default, with their own lines alone", async () => {
    const { files, table, unknown } = await choose();
    expect(files).toEqual(["ISO8859-1.so", "UTF-16.so"]);
    expect(table.split("\n")).toEqual([
      "alias\tLATIN1//\tISO-8859-1//",
      "alias\tUTF16//\tUTF-16//",
      "module\tISO-8859-1//\tINTERNAL\tISO8859-1\t1",
      "module\tINTERNAL\tISO-8859-1//\tISO8859-1\t1",
      "module\tUTF-16//\tINTERNAL\tUTF-16\t1",
      "module\tINTERNAL\tUTF-16//\tUTF-16\t1",
      "",
    ]);
    expect(unknown).toEqual([]);
  });

  test.each([["UJIS"], ["euc-jp"], ["EUC-JP//"]])(
    "those that are asked for, with what they share: %s",
    async (name) => {
      const { files, table } = await choose([name]);
      expect(files).toEqual(["EUC-JP.so", "libJIS.so"]);
      expect(table).toContain("alias\tUJIS//\tEUC-JP//\n");
      expect(table).not.toContain("SJIS//");
    },
  );

  test("all that there are", async () => {
    const { files, table } = await choose(["all"]);
    expect(files).toHaveLength(5);
    expect(table).not.toContain("NOT-HERE");
  });

  test("not those that the folder has not", async () => {
    expect((await choose(["latin1", "KLINGON", "ISO-10646"])).unknown).toEqual([
      "KLINGON",
      "ISO-10646",
    ]);
  });
});
