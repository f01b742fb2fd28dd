const fs = require("node:fs");

const [, file, what] = process.argv;
if (what === "forked") process.send(`${what}: ${[process.env.NODE_OPTIONS, fs.existsSync(file)]}`);
else {
  setTimeout(() => {
    const size = fs.readFileSync(process.execPath).length;
    fs.writeFileSync(`${what}.new`, `${require("./data.json").data} ${size > 1e7}\n`);
    fs.renameSync(`${what}.new`, what);
  }, 300);
}
