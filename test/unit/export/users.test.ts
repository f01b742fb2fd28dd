import { expect, test } from "vitest";
import { findUser } from "../../../builder/export/users.ts";

const passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/:\n40:x:7:8::/:\n";
const group = "root:x:0:\nweb:x:34:\nlogs:x:50:web,other\nweb2:x:34:web\nbad:x::web\n";

test("users by name, by number and with a group", () => {
  const found = (user: string) => findUser(user, passwd, group);
  expect(found("0")).toEqual({ uid: 0, gid: 0 });
  expect(found("web")).toEqual({ uid: 33, gid: 34, additionalGids: [50] });
  expect(found("33")).toEqual({ uid: 33, gid: 34, additionalGids: [50] });
  expect(found("40")).toEqual({ uid: 7, gid: 8 }); // a name that is a number comes first
  expect(found("1000")).toEqual({ uid: 1000, gid: 0 });
  expect(found("web:logs")).toEqual({ uid: 33, gid: 50 });
  expect(found("1:2")).toEqual({ uid: 1, gid: 2 });
});

test("names that are nobody's are refused", () => {
  for (const user of ["nobody", "web:none", ""]) {
    expect(() => findUser(user, passwd, group)).toThrow(/has not/);
  }
});
