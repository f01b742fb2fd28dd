import { expect, test } from "vitest";
import { IdTable } from "../../../builder/squashfs/ids.ts";

test("every id stands in the table once", () => {
  const ids = new IdTable();
  expect([0, 1000, 0, 0xffffffff, 1000].map((id) => ids.index(id))).toEqual([0, 1, 0, 2, 1]);
  expect(ids.count).toBe(3);
  expect(ids.encode().toString("hex")).toBe("00000000e8030000ffffffff");
});

test("65,535 ids fit, one more does not", () => {
  const ids = new IdTable();
  for (let id = 0; id < 65535; id++) ids.index(id);
  expect(() => ids.index(65535)).toThrow(expect.objectContaining({ code: "E_IMAGE_LIMIT" }));
  expect(ids.index(65534)).toBe(65534);
});
