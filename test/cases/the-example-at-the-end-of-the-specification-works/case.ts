import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { aliasCommand, fuselage, run } from "../../support/process.ts";

// As written, with venv in place of uv and a module in place of what pip would bring.
const script = `
set -e
fuselage --dynamic-empty=/run/fuselage/myapp -- bash -c '
set -e
python3 -m venv --without-pip /run/fuselage/myapp/.venv
cp myapp.py /run/fuselage/myapp/.venv/lib/python3*/site-packages/
mksquashfs /run/fuselage/myapp myapp.sfs -quiet -no-progress
'
fuselage --static=/run/fuselage/myapp:myapp.sfs -- \\
/run/fuselage/myapp/.venv/bin/python -m myapp first
fuselage-bundle --archive=myapp.sfs --output=myapp \\
-- --static=/run/fuselage/myapp:/proc/self/exe \\
--run /run/fuselage/myapp/.venv/bin/python \\
-- -m myapp
./myapp second --third
echo "afterwards: $(ls -A /run/fuselage/myapp 2>/dev/null)"
rmdir /run/fuselage/myapp 2>/dev/null || true
`;

export default {
  needs: ["userns", "fuse", "python3", "mksquashfs"],
  files: {
    "myapp.py": "import sys\nprint(sys.argv[1:], sys.prefix)\n",
    "bin/fuselage": { link: fuselage },
    "bin/fuselage-bundle": `#!/bin/sh\nexec "${process.execPath}" "${aliasCommand}" "$@"\n`,
  },
  args: [],
  run: (cwd) => {
    const env = { HOME: cwd, PATH: `${cwd}/bin:${process.env["PATH"]}` };
    return run("bash", ["-c", script], { cwd, env });
  },
  check(_, { stdout }) {
    const lines = stdout.split("\n");
    expect(lines).toContain("['first'] /run/fuselage/myapp/.venv");
    expect(lines).toContain("['second', '--third'] /run/fuselage/myapp/.venv");
    expect(lines).toContain("afterwards: ");
  },
} satisfies Case;
