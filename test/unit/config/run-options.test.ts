import { expect, test } from "vitest";
import { parseRunOptions } from "../../../builder/config/run-options.ts";

test("options of a start become words as a shell would make them", () => {
  const texts = [`-v '~/a b:/data:ro'  --env="A=\\"1\\" $B"`, "--read-only\t-w /x\\ y", "-uweb"];
  expect(parseRunOptions(texts)).toEqual([
    "-v",
    "~/a b:/data:ro",
    '--env=A="1" $B',
    "--read-only",
    "-w",
    "/x y",
    "-uweb",
  ]);
  expect(parseRunOptions([`--env 'A=' -e "B=\\n"`])).toEqual(["--env", "A=", "-e", "B=\\n"]);
});

test.each([
  ["--volum a", "no such option"],
  ["--help", "cannot be recorded"],
  ["--persist x --persist-rm", "cannot be recorded"],
  ["-v", "HOST:/INSIDE"],
  ["-v a:b", "HOST:/INSIDE"],
  ["-v a:/b:rx", "HOST:/INSIDE"],
  ["-w relative", "an absolute path"],
  ["-u a:b:c", "NAME or UID"],
  ["--tmpfs-size 0", "25%"],
  ["--hostname a_b", "letters"],
  ["--read-only=yes", "takes no value"],
  ["program", "no such option"],
  ["-e 'A=1", "does not end"],
])("%s is refused: %s", (text, words) => {
  expect(() => parseRunOptions([text])).toThrow(
    expect.objectContaining({ code: "E_RUN_OPTION", message: expect.stringContaining(words) }),
  );
});
