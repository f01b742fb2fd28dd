import { expect } from "vitest";
import type { Finding, SandboxFacts } from "../../../builder/api/doctor.ts";
import type { Case } from "../../support/case.ts";

export default {
  needs: ["fuse", "userns"],
  args: ["doctor", "--json"],
  asUser: true,
  check: (_, { stdout }) => {
    const answer: { findings: Finding[]; sandbox: SandboxFacts } = JSON.parse(stdout);
    const { findings, sandbox } = answer;
    expect(sandbox.state).toBe("none: the app may do what its user may");
    expect(sandbox.here).toEqual([
      expect.stringMatching(/^Landlock \d: /),
      expect.stringMatching(/^filter of system calls: (yes|none)$/),
      expect.stringMatching(/^private directories and namespaces: /),
    ]);
    const names = findings.map(({ strategy }) => strategy);
    expect(names).toEqual(["loop", "fuse", "fusermount", "extract"]);
    const works = findings.filter((finding) => finding.works).map(({ strategy }) => strategy);
    expect(works).toEqual(expect.arrayContaining(["fuse", "extract"]));
    for (const finding of findings) {
      expect(finding.works || (finding.reason !== "" && finding.advice !== "")).toBe(true);
    }
    expect(findings.find(({ strategy }) => strategy === "loop")).toMatchObject({
      works: false,
      reason: expect.stringContaining("CAP_SYS_ADMIN"),
    });
  },
} satisfies Case;
