const ts = require("typescript");

const [, , input] = process.argv;
const program = ts.createProgram([input], { strict: true, target: ts.ScriptTarget.ES2022 });
for (const { messageText, start } of ts.getPreEmitDiagnostics(program)) {
  console.log(start, ts.flattenDiagnosticMessageText(messageText, "\n"));
}
program.emit(undefined, (name, text) => console.log(name.replace(/.*\//, ""), text));
