const cluster = require("node:cluster");
const http = require("node:http");

if (cluster.isPrimary) {
  for (let i = 0; i < 2; i++) cluster.fork();
  let listening = 0;
  cluster.on("listening", async (_, { port }) => {
    if (++listening < 2) return;
    const pids = new Set();
    while (pids.size < 2) {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
      const { pid, file } = await answer.json();
      pids.add(pid);
      if (file !== __filename) throw new Error(file);
    }
    console.log(`${pids.size} workers answered`);
    for (const worker of Object.values(cluster.workers)) worker.kill();
  });
} else {
  const server = http.createServer((_, response) => {
    response.end(JSON.stringify({ pid: process.pid, file: __filename }));
  });
  server.listen(0, "127.0.0.1");
}
