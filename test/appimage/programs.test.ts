/** Real programs of Debian as AppImages, on a root filesystem that has a libc and nothing else. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect } from "vitest";
import { desktopEntry, svg } from "../support/appdir.ts";
import { type MinimalRoot, minimalRoot } from "../support/minimal-root.ts";
import { skipUnless } from "../support/needs.ts";
import { bundle, ordinaryUser } from "../support/process.ts";
import { openScreen, type Picture } from "../support/screen.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const built = new Map<string, string>();

/** The program with its libraries as an AppImage. @returns its path */
async function packed(program: string): Promise<string> {
  const known = built.get(program);
  if (known !== undefined) return known;
  const dir = temporaryDirectory();
  const [file, icon] = [path.join(dir, "Program.AppImage"), path.join(dir, "icon.svg")];
  writeFileSync(icon, svg);
  const line = ["build", program, "-o", file, "--with-libs", "--icon", icon];
  expect(await bundle(line)).toMatchObject({ status: 0 });
  built.set(program, file);
  return file;
}

/** The AppImage of the program, and the program itself, in a root of their own. */
async function placed(program: string): Promise<MinimalRoot> {
  const file = await packed(program);
  const top = path.join(userDirectory(), "top");
  mkdirSync(top);
  const there = minimalRoot(top);
  there.add(file, "/Program.AppImage");
  there.add(program, "/program");
  return there;
}

const starters = [
  { who: "root", uid: 0 },
  { who: "a user", uid: ordinaryUser().uid },
];

describe.each(starters)("on a root with only a libc, as $who,", ({ uid }) => {
  const test = skipUnless("root", "gcc", "fuse", "userns", "desktopFileValidate", "xvfb");

  test("a command line program does its work", async () => {
    const there = await placed("/usr/bin/desktop-file-validate");
    const dir = temporaryDirectory();
    writeFileSync(path.join(dir, "good"), desktopEntry);
    writeFileSync(path.join(dir, "bad"), desktopEntry.replace("Utility", "Gadget"));
    for (const name of ["good", "bad"]) there.add(path.join(dir, name), `/${name}.desktop`);
    expect(await there.start("/program", uid, ["/good.desktop"])).toMatchObject({ status: 127 });
    const good = await there.start("/Program.AppImage", uid, ["/good.desktop"]);
    expect(good).toMatchObject({ status: 0, stdout: "", stderr: "" });
    const bad = await there.start("/Program.AppImage", uid, ["/bad.desktop"]);
    expect(bad.status).toBe(1);
    expect(bad.stdout).toContain('"Gadget"');
  });

  test("a program with a window shows it", async () => {
    const there = await placed("/usr/bin/xlogo");
    expect(await there.start("/program", uid)).toMatchObject({ status: 127 });

    const screen = await openScreen();
    let ended: Promise<unknown> = Promise.resolve();
    try {
      const empty = await screen.take();
      const place = ["-display", screen.display, "-geometry", "200x150+100+80", "-bw", "0"];
      const started = there.start("/Program.AppImage", uid, place);
      ended = started;
      const window = { x: 100, y: 80, width: 200, height: 150 };
      /** The logo in one colour on the window's ground in another. */
      const isWhole = (picture: Picture) => {
        const { inside } = compared(empty, picture, window);
        const [first = 0, second = 0] = [...inside.values()].sort((a, b) => b - a);
        return first + second > 0.9 * 200 * 150 && second > 0.05 * 200 * 150;
      };
      const shown = await seen(screen.take, isWhole, started);
      expect(compared(empty, shown, window).outside).toBe(0);
    } finally {
      await screen.stop();
      await ended;
    }
  });
});

/** The first picture that has what is waited for; a program may draw it in steps. */
async function seen(
  take: () => Promise<Picture>,
  isWhole: (picture: Picture) => boolean,
  started: Promise<{ status: number | null; stderr: string }>,
): Promise<Picture> {
  let end: { status: number | null; stderr: string } | undefined;
  void started.then((outcome) => {
    end = outcome;
  });
  for (;;) {
    if (end !== undefined) throw new Error(`it ended with ${end.status}: ${end.stderr}`);
    const picture = await take();
    if (isWhole(picture)) return picture;
  }
}

/** Colours inside a rectangle with their number, and pixels that changed outside. */
function compared(
  before: Picture,
  after: Picture,
  { x, y, width, height }: { x: number; y: number; width: number; height: number },
) {
  const inside = new Map<number, number>();
  let outside = 0;
  for (let row = 0; row < after.height; row++) {
    for (let column = 0; column < after.width; column++) {
      const colour = after.at(column, row);
      const isIn = column >= x && column < x + width && row >= y && row < y + height;
      if (isIn) inside.set(colour, (inside.get(colour) ?? 0) + 1);
      if (!isIn && colour !== before.at(column, row)) outside++;
    }
  }
  return { inside, outside };
}
