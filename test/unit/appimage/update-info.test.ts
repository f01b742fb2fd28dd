import { describe, expect, test } from "vitest";
import { checkUpdateInfo, guessUpdateInfo } from "../../../builder/appimage/update-info.ts";

const LIMIT = 1024;
const refusal = expect.objectContaining({ code: "E_UPDATE_INFO" });

describe("update information", () => {
  test.each([
    "zsync|https://example.org/a.AppImage.zsync",
    "zsync|http://example.org/a?b=c",
    "gh-releases-zsync|me|it|latest|it-*x86_64.AppImage.zsync",
    "pling-v1-zsync|1|it-*.AppImage.zsync",
  ])("%s is taken", (text) => {
    expect(checkUpdateInfo(text, LIMIT)).toBe(text);
  });

  test.each([
    "",
    "zsync",
    "zsync|",
    "zsync|a.AppImage.zsync",
    "zsync|file:///tmp/a.zsync",
    "zsync|https://example.org/a b",
    "zsync|https://example.org/|x",
    "ZSYNC|https://example.org/",
    "bintray-zsync|me|it|it|_latestVersion.zsync",
    "gh-releases-zsync|me|it|latest",
    "gh-releases-zsync|me||latest|a.zsync",
    "gh-releases-zsync|me|it|latest|a.AppImage",
    `zsync|https://example.org/${"x".repeat(LIMIT)}`,
  ])("%s is refused", (text) => {
    expect(() => checkUpdateInfo(text, LIMIT)).toThrow(refusal);
  });
});

describe("a guess", () => {
  const facts = { file: "my app.AppImage", app: "my app", arch: "x86_64" };

  test.each([
    [
      { GITHUB_REPOSITORY: "me/it", GITHUB_REF_TYPE: "tag", GITHUB_REF_NAME: "v1" },
      "gh-releases-zsync|me|it|latest|my_app*-x86_64.AppImage.zsync",
    ],
    [
      { GITHUB_REPOSITORY: "me/it", GITHUB_REF_TYPE: "branch", GITHUB_REF_NAME: "main" },
      "gh-releases-zsync|me|it|continuous|my_app*-x86_64.AppImage.zsync",
    ],
    [
      { TRAVIS_REPO_SLUG: "me/it", TRAVIS_TAG: "continuous" },
      "gh-releases-zsync|me|it|continuous|my_app*-x86_64.AppImage.zsync",
    ],
    [
      {
        CI_PROJECT_URL: "https://gitlab.com/me/it",
        CI_COMMIT_REF_NAME: "main",
        CI_JOB_NAME: "build it",
      },
      "zsync|https://gitlab.com/me/it/-/jobs/artifacts/main/raw/my%20app.AppImage.zsync?job=build%20it",
    ],
  ])("from %j is %s", (environment, expected) => {
    const guessed = guessUpdateInfo(facts, environment);
    expect(guessed).toBe(expected);
    expect(checkUpdateInfo(guessed, LIMIT)).toBe(guessed);
  });

  test("from nothing is refused", () => {
    expect(() => guessUpdateInfo(facts, {})).toThrow(refusal);
    expect(() => guessUpdateInfo(facts, { CI_PROJECT_URL: "x" })).toThrow(refusal);
  });
});
