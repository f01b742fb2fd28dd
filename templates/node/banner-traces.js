// Behind either banner: many sources are one file, and neither stacks nor warnings are to tell. Of some
// of its functions Node warns in the app's own code only, not in that of installed packages. The help for
// both is looked for when it is needed, from the program's own place: a child need not have inherited any
// variable. A stack is the app's own matter once it has set a function of its own.
const __fuselage_traces = () => {
  for (let dir = __fuselage_resolve("."); ; dir = __fuselage_above(dir)) {
    const file = `${dir}/node/fuselage-traces.cjs`;
    if (require("node:fs").existsSync(file)) return require(file);
    if (dir === "/") return undefined;
  }
};
Error.prepareStackTrace = ((original) =>
  (original?.name ?? "ErrorPrepareStackTrace") !== "ErrorPrepareStackTrace"
    ? original
    : (error, sites) =>
        __fuselage_traces()?.stack(error, sites) ?? `${error}\n    at ${sites.join("\n    at ")}`)(
  Error.prepareStackTrace,
);
process.emitWarning = ((original) =>
  function emitWarning(...words) {
    const code = words[1]?.code ?? words[2];
    const some = /^DEP0(?:005|040|169)$/.test(code);
    if (some && __fuselage_traces()?.isSilent(code, emitWarning)) return;
    Reflect.apply(original, process, words);
  })(process.emitWarning);
