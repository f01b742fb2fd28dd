import { expect, test } from "vitest";
import type { Profile } from "../../../builder/profile/profile.ts";
import { formatProfile, parseProfile } from "../../../builder/profile/text.ts";

const K = 1024;

/** Rules, without what they do not say. */
const parse = (text: string | Buffer): Profile => parseProfile(Buffer.from(text), "p");
const rules = (text: string) => parse(`version 1\n${text}`);

test("a profile comes back from its text, whatever bytes its paths have", () => {
  const paths = [
    "bin/app",
    "with blank",
    "\ttab and\nline",
    'a "quotation"',
    '"',
    "#comment",
    "back\\slash",
    "gr\xc3\xbcn",
    "no\xff\xfeutf8",
    "\x01\x7f",
    "\xe2\x80\xaeturned",
    "trailing ",
    "\xc2\xa0nbsp",
    "version",
    "0-4K",
  ];
  const profile: Profile = paths.flatMap((path, i) => [
    { path },
    { path, ranges: [{ start: i * 4 * K, end: i * 4 * K + 1 }] },
    {
      path,
      ranges: [
        { start: 0, end: 2 ** 40 },
        { start: 8 * K, end: 12 * K },
      ],
    },
  ]);
  const text = formatProfile(profile);
  expect(parse(text)).toEqual(profile);
  expect(formatProfile(parse(text))).toEqual(text);
  // One line each: a name cannot make another rule.
  expect(text.toString("latin1").split("\n").length).toBe(3 + 1 + profile.length + 1);
});

test("the text is one that people can read", () => {
  const profile = [
    {
      path: "bin/app",
      ranges: [
        { start: 0, end: 256 * K },
        { start: 4096 * K, end: 4160 * K },
      ],
    },
    { path: "lib/a b" },
  ];
  const lines = formatProfile(profile, ["of a test"]).toString().split("\n");
  expect(lines.filter((line) => !line.startsWith("#"))).toEqual([
    "version 1",
    "",
    "bin/app 0-256K 4096K-4160K",
    '"lib/a b"',
    "",
  ]);
  expect(lines).toContain("# of a test");
});

test("comments, blank lines, blanks around, lines of DOS and a byte order mark do not count", () => {
  const text = "\ufeff# one\r\n\r\n  version 1\r\n \t a\t0-4K  8K-1M \r\n./b\r\n//c/d\r\n#\r\n";
  expect(parse(text)).toEqual([
    {
      path: "a",
      ranges: [
        { start: 0, end: 4 * K },
        { start: 8 * K, end: K * K },
      ],
    },
    { path: "b" },
    { path: "c/d" },
  ]);
});

test("sizes are bytes, or have a unit", () => {
  expect(rules("a 1-2 3K-4M 5M-6G 0-7")[0]?.ranges).toEqual([
    { start: 1, end: 2 },
    { start: 3 * K, end: 4 * K * K },
    { start: 5 * K * K, end: 6 * K ** 3 },
    { start: 0, end: 7 },
  ]);
});

test.each([
  ["", /p: it is no start profile: expected the line "version 1", found nothing but comments/],
  ["# only\n", /p: it is no start profile/],
  ["bin/app 0-4K\n", /p:1: it is no start profile: expected the line "version 1" before all/],
  ["\n\nversion 2\n", /p:3: its version is not known: expected version 1, found "version 2"/],
  ["version one\n", /p:1: it is no start profile/],
  ["version 1\na 0-4K 5K\n", /p:2: a range cannot be read: expected START-END.*found "5K"/],
  ["version 1\na 4K-4K\n", /p:2: a range is empty/],
  ["version 1\na 8K-4K\n", /p:2: a range is empty/],
  ["version 1\na -4K\n", /p:2: a range cannot be read/],
  ["version 1\na 0x10-0x20\n", /p:2: a range cannot be read/],
  ["version 1\na 0-4T\n", /p:2: a range cannot be read/],
  ["version 1\na 0-9999999999999999999\n", /p:2: a range cannot be read/],
  ["version 1\na 0-999999999999999G\n", /p:2: a range lies behind the end of any file/],
  ["version 1\na b 0-4K\n", /p:2: a range cannot be read.*found "b"/],
  ['version 1\n"a b\n', /p:2: the path has no end/],
  ['version 1\n"a b"0-4K\n', /p:2: a range touches the path/],
  ['version 1\n"a\\q"\n', /p:2: the path has an unknown escape.*found "\\\\q"/],
  ['version 1\n"a\\x4"\n', /p:2: the path has an unknown escape/],
  ['version 1\n""\n', /p:2: the name is empty/],
  ['version 1\n"a\\x00"\n', /p:2: the name contains a NUL byte/],
  ["version 1\n/\n", /p:2: the name is empty/],
  ["version 1\na//b\n", /p:2: the name is empty/],
  ["version 1\n../etc/passwd\n", /p:2: the name ".." is reserved/],
  ["version 1\na/./b\n", /p:2: the name "." is reserved/],
  [`version 1\n${"n".repeat(256)}\n`, /p:2: the name has 256 bytes/],
  ["version 1\n\x1b[2J 1\n", /p:2: .*found "1"/],
  ["version 1\na \x1b[2J\n", /p:2: .*found "\\x1b\[2J"/],
] as const)("%j is refused with its line", (text, message) => {
  expect(() => parse(text)).toThrow(
    expect.objectContaining({ code: "E_PROFILE_INVALID", message: expect.stringMatching(message) }),
  );
});

test.each([
  ["too many ranges", `version 1\n${"a 0-1\n".repeat(65537)}`, /p:65538: it has more than 65536/],
  ["too many in a line", `version 1\na${" 0-1".repeat(65537)}`, /p:2: it has more than 65536/],
  ["too large", Buffer.alloc((16 << 20) + 1), /p: it is too large/],
])("a text with %s is refused", (_, text, message) => {
  expect(() => parse(text)).toThrow(
    expect.objectContaining({ code: "E_PROFILE_INVALID", message: expect.stringMatching(message) }),
  );
});
