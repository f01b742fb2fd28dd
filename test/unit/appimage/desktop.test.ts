import { describe, expect, test } from "vitest";
import { programOf, readDesktopEntry } from "../../../builder/appimage/desktop.ts";

const minimal = "[Desktop Entry]\nType=Application\nName=A\nExec=a\nIcon=a\nCategories=Game;\n";
const read = (text: string) => readDesktopEntry(Buffer.from(text), "a.desktop");
const code = (name: string) => expect.objectContaining({ code: name });

describe("a desktop entry", () => {
  test("is read whatever its line ends, comments, languages and further groups are", () => {
    const text = minimal.replace("Name=A\n", "# about\n\nName[de]=B\nName = A  \n");
    const more = `${text}Terminal=true\nName[fr]=C\n\n[Desktop Action new]\nName=N\nExec=b\n`;
    for (const variant of [more, more.replaceAll("\n", "\r\n")]) {
      expect(read(variant)).toEqual({
        name: "A",
        exec: "a",
        icon: "a",
        categories: ["Game"],
        terminal: true,
      });
    }
  });

  test.each([
    ["", "E_DESKTOP_INVALID"],
    ["[Other]\nName=A\n", "E_DESKTOP_INVALID"],
    [`Name=B\n${minimal}`, "E_DESKTOP_INVALID"],
    [`${minimal}Name=B\n`, "E_DESKTOP_INVALID"],
    [`${minimal}what is this\n`, "E_DESKTOP_INVALID"],
    [minimal.replace("Name=A", "Name="), "E_DESKTOP_KEY"],
    [minimal.replace("Icon=a", "Icon=/usr/a"), "E_DESKTOP_KEY"],
    [`${minimal}Terminal=yes\n`, "E_DESKTOP_KEY"],
    [minimal.replace("Game;", ";"), "E_DESKTOP_CATEGORY"],
    [minimal.replace("Game;", "X-A;"), "E_DESKTOP_CATEGORY"],
    [minimal.replace("Game;", "game;"), "E_DESKTOP_CATEGORY"],
  ])("%j is refused with %s", (text, name) => {
    expect(() => read(text)).toThrow(code(name));
  });

  test("of more than a line is no line less", () => {
    expect(read(`${minimal}Comment=\\nx = y = z\n`).name).toBe("A");
  });
});

describe("Exec", () => {
  test.each([
    ["a %F", "a"],
    ["/opt/a/b --x", "/opt/a/b"],
    ['"a b" c', "a b"],
    ['"a \\"b\\"" c', 'a "b"'],
    ["", undefined],
  ])("%j starts %j", (exec, program) => {
    expect(programOf(exec)).toBe(program);
  });
});
