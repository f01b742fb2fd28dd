const { fork, spawn } = require("node:child_process");
const path = require("node:path");

const child = fork(path.join(__dirname, "child.js"), ["forked"]);
child.on("message", (message) => {
  console.log(message);
  // It goes on when this process has ended, and with it whoever started the app.
  const late = spawn(process.execPath, [path.join(__dirname, "child.js"), process.argv[2]], {
    detached: true,
    stdio: "ignore",
  });
  late.unref();
});
