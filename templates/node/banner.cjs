// In front of a bundled CommonJS program: what files of it need to know where they would lie.
// biome-ignore-all lint/correctness/noUnusedVariables: the program behind it uses them.
const __fuselage_path = require("node:path"),
  __fuselage_resolve = (name) => __fuselage_path.resolve(__dirname, name),
  __fuselage_above = __fuselage_path.dirname,
  __fuselage_href = (file) => require("node:url").pathToFileURL(file).href,
  __fuselage_load = require,
  __fuselage_started = require.main === module;
