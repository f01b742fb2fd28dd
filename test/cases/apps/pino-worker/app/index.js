const pino = require("pino");

const transport = pino.transport({
  target: "pino-pretty",
  options: { destination: process.argv[2], colorize: false, ignore: "time,pid,hostname" },
});
pino(transport).info("written by a worker");
