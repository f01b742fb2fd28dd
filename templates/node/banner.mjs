// In front of a bundled ES module: require for the CommonJS in it, and where its files would lie.
// biome-ignore-all lint/correctness/noUnusedVariables: the program behind it uses them.
// biome-ignore-all lint/correctness/noUnusedImports: the program behind it uses them.
import { createRequire as __fuselage_require } from "node:module";
import { dirname as __fuselage_above, resolve as __fuselage_join } from "node:path";
import { pathToFileURL as __fuselage_to_url } from "node:url";

const require = __fuselage_require(import.meta.url),
  __fuselage_load = require,
  __fuselage_cache = require.cache,
  __fuselage_note = () => {},
  __fuselage_resolve = (name) => __fuselage_join(import.meta.dirname, name),
  __fuselage_href = (file) => __fuselage_to_url(file).href,
  __fuselage_started = import.meta.main ?? process.argv[1] === import.meta.filename;
