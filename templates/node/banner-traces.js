// Behind either banner: many sources are one file, and stacks are not to tell, unless the app makes its
// own. The help for that is looked for when it is needed, from the program's own place: a child need not
// have inherited any variable.
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
