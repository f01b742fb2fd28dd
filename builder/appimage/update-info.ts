/**
 * Where newer versions of an AppImage are to be found: a text in section .upd_info of its runtime.
 * Format: the AppImage specification, "Update information"; what AppImageUpdate takes is checked.
 */
import * as errors from "../errors.ts";
import { outputEndings } from "../generated/spec.ts";

/** Word that asks for a guess from the variables of GitHub's or GitLab's CI. */
export const GUESS = "guess";

/** Known schemes, the fields behind their name, and how one looks. */
const schemes: Record<string, { fields: readonly string[]; example: string }> = {
  zsync: { fields: ["URL"], example: "zsync|https://example.org/App-latest.AppImage.zsync" },
  "gh-releases-zsync": {
    fields: ["OWNER", "REPOSITORY", "RELEASE", "FILE"],
    example: "gh-releases-zsync|owner|repo|latest|App-*x86_64.AppImage.zsync",
  },
  "pling-v1-zsync": {
    fields: ["PRODUCT", "FILE"],
    example: "pling-v1-zsync|1234567|App-*x86_64.AppImage.zsync",
  },
};

/**
 * Checks update information.
 *
 * @param limit bytes that the section of the runtime has
 * @throws E_UPDATE_INFO
 */
export function checkUpdateInfo(text: string, limit: number): string {
  const quoted = `"${text}"`;
  const [scheme = "", ...values] = text.split("|");
  const known = schemes[scheme];
  if (known === undefined) {
    const names = Object.keys(schemes).map((name) => `${name}|...`);
    throw errors.updateInfo(
      `there is no scheme "${scheme}"`,
      `${names.join(", ")} or guess`,
      quoted,
    );
  }
  const { fields, example } = known;
  if (values.length !== fields.length || values.some((value) => value === "")) {
    const shape = [scheme, ...fields].join("|");
    throw errors.updateInfo(
      `${scheme} has other fields`,
      `${shape}, for example ${example}`,
      quoted,
    );
  }
  if (/[\p{Cc}\s]/u.test(text)) {
    throw errors.updateInfo("it holds spaces or control characters", example, quoted);
  }
  if (scheme === "zsync") checkUrl(values[0] ?? "", quoted);
  else if (!(values.at(-1) ?? "").endsWith(outputEndings.updates)) {
    throw errors.updateInfo("FILE does not end in .zsync", example, quoted);
  }
  const size = Buffer.byteLength(text);
  if (size > limit) {
    throw errors.updateInfo("it is too long", `at most ${limit} bytes`, `${size} bytes`);
  }
  return text;
}

/** Clients fetch the file by http; a path of this machine would be embedded for nobody. */
function checkUrl(url: string, quoted: string): void {
  const scheme = URL.canParse(url) ? new URL(url).protocol : "";
  if (!["http:", "https:"].includes(scheme)) {
    const expected = `an absolute URL, ${schemes["zsync"]?.example}`;
    throw errors.updateInfo("its URL is none that a client can fetch", expected, quoted);
  }
}

/**
 * Guesses from the CI's variables, as appimagetool does: GitHub Actions and Travis give the
 * releases of the repository, GitLab the artifacts of the job.
 *
 * @param file name of the AppImage that is built
 * @param app name of the app and `arch` its machine: the releases are found by `app*-arch`
 * @throws E_UPDATE_INFO when no such variables are set
 */
export function guessUpdateInfo(
  { file, app, arch }: { file: string; app: string; arch: string },
  environment: NodeJS.ProcessEnv = process.env,
): string {
  const {
    GITHUB_REPOSITORY,
    GITHUB_REF_TYPE,
    GITHUB_REF_NAME,
    TRAVIS_REPO_SLUG,
    TRAVIS_TAG,
    CI_PROJECT_URL,
    CI_COMMIT_REF_NAME,
    CI_JOB_NAME,
  } = environment;
  const slug = GITHUB_REPOSITORY ?? TRAVIS_REPO_SLUG;
  if (slug?.includes("/")) {
    const tag =
      GITHUB_REPOSITORY === undefined ? TRAVIS_TAG : tagOf(GITHUB_REF_TYPE, GITHUB_REF_NAME);
    const release =
      tag === undefined || tag === "" || tag === "continuous" ? "continuous" : "latest";
    const pattern = `${app.replaceAll(" ", "_")}*-${arch}${outputEndings.appImage}${outputEndings.updates}`;
    return ["gh-releases-zsync", ...slug.split("/", 2), release, pattern].join("|");
  }
  if (CI_PROJECT_URL && CI_COMMIT_REF_NAME && CI_JOB_NAME) {
    const artifact = `${encodeURIComponent(file)}.zsync?job=${encodeURIComponent(CI_JOB_NAME)}`;
    return `zsync|${CI_PROJECT_URL}/-/jobs/artifacts/${CI_COMMIT_REF_NAME}/raw/${artifact}`;
  }
  throw errors.updateInfo(
    "there is nothing to guess it from",
    "GITHUB_REPOSITORY, TRAVIS_REPO_SLUG, or CI_PROJECT_URL with CI_COMMIT_REF_NAME and CI_JOB_NAME",
    "none of these variables",
  );
}

function tagOf(type: string | undefined, name: string | undefined): string | undefined {
  return type === "tag" ? name : undefined;
}
