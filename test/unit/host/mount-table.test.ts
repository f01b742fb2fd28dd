import { expect, test } from "vitest";
import { mountedAt } from "../../../builder/host/mount-table.ts";

const table = [
  "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
  "30 22 0:40 / /a\\040b ro - fuse.fuselage /tmp/x\\054y\\134z\\011 ro,user_id=1000,group_id=1000",
  "31 22 0:41 / /twice ro master:3 propagate_from:2 - squashfs /dev/loop1 ro",
  "32 31 0:42 / /twice ro - tmpfs user_id=7 rw",
  "cut off",
  "",
].join("\n");

test("fields are told apart however many tags there are, and octal numbers are read", () => {
  expect(mountedAt("/a b", table)).toEqual({
    type: "fuse.fuselage",
    source: "/tmp/x,y\\z\t",
    userId: 1000,
  });
  expect(mountedAt("/", table)).toEqual({ type: "ext4", source: "/dev/sda1", userId: undefined });
});

test("the mount on top counts, and a source is no option", () => {
  expect(mountedAt("/twice", table)).toEqual({
    type: "tmpfs",
    source: "user_id=7",
    userId: undefined,
  });
});

test("what is not mounted is not there", () => {
  expect(mountedAt("/a", table)).toBeUndefined();
  expect(mountedAt("/proc")).toMatchObject({ type: "proc" });
});
