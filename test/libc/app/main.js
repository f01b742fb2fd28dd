// Uses of Node what depends on its libc and on the place of its program, and tells it as JSON.
const { fork, spawnSync } = require("node:child_process");
const cluster = require("node:cluster");
const { lookup } = require("node:dns/promises");
const { realpathSync } = require("node:fs");
const { Worker, isMainThread, parentPort } = require("node:worker_threads");

const leaks = () => Object.keys(process.env).filter((name) => /^(LD_|LOCPATH|GCONV)/.test(name));
const answered = (emitter) =>
  new Promise((resolve, reject) => emitter.once("message", resolve).once("error", reject));

async function main() {
  const child = fork(__filename, ["child"]);
  const forked = await answered(child);
  const member = cluster.fork({ MEMBER: "yes" });
  const clustered = await answered(member);
  const threaded = await answered(new Worker(__filename));
  const { stdout, error } = spawnSync("/bin/sh", ["-c", "echo $((6 * 7))$LD_LIBRARY_PATH"]);
  const found = await lookup(process.argv[2] ?? "localhost", { family: 4 }).catch(String);
  const { sharedObjects } = process.report.getReport();
  console.log(
    JSON.stringify({
      self: realpathSync("/proc/self/exe") === realpathSync(process.execPath),
      name: process.execPath,
      forked,
      clustered,
      threaded,
      shell: error ? error.code : String(stdout).trim(),
      host: found.address ?? found,
      text:
        (1234.5).toLocaleString("de-DE") + new TextDecoder("latin1").decode(Buffer.from([0xe4])),
      stack: new Error("here").stack.split("\n")[1].replace(/.*[/\\]/, ""),
      addon: require("./probe.node")(),
      libc: sharedObjects.filter((name) => /\/libc\.so\.6$/.test(name)),
      leaks: leaks(),
    }),
  );
  child.disconnect();
  member.disconnect();
}

if (process.argv[2] === "child") process.send([process.execPath, ...leaks()]);
else if (cluster.isWorker) process.send(process.env.MEMBER);
else if (isMainThread) main();
else parentPort.postMessage("threaded");
