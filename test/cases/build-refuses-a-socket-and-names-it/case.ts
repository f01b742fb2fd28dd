import net from "node:net";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  prepare: (dir) =>
    new Promise((resolve, reject) => {
      // Node removes the socket when it closes the server, so it stays open until the tests end.
      const server = net.createServer().unref();
      server.once("error", reject);
      server.listen(`${dir}/app/control`, () => resolve());
    }),
  args: ["build", "app", "-o", "out"],
  code: "E_FILE_KIND",
  stderr: /app\/control: a socket is not packed/,
} satisfies Case;
