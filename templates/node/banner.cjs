// In front of a bundled CommonJS program: what files of it need to know where they would lie.
// biome-ignore-all lint/correctness/noUnusedVariables: the program behind it uses them.
const __fuselage_path = require("node:path"),
  __fuselage_resolve = (name) => __fuselage_path.resolve(__dirname, name),
  __fuselage_above = __fuselage_path.dirname,
  __fuselage_href = (file) => require("node:url").pathToFileURL(file).href,
  __fuselage_load = require,
  __fuselage_noted = { __proto__: null },
  __fuselage_note = (name, module) => {
    const filename = __fuselage_resolve(name);
    __fuselage_noted[filename] = Object.assign(module, { id: filename, filename });
  },
  __fuselage_cache = new Proxy(require.cache, {
    ownKeys: (cache) => [...new Set([...Object.keys(cache), ...Object.keys(__fuselage_noted)])],
    has: (cache, name) => name in __fuselage_noted || name in cache,
    get: (cache, name) => __fuselage_noted[name] ?? cache[name],
    getOwnPropertyDescriptor: (cache, name) => {
      const value = __fuselage_noted[name] ?? cache[name];
      return value && { value, configurable: true, enumerable: true, writable: true };
    },
  }),
  __fuselage_started = require.main === module;
