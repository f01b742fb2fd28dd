import { realpathSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { currentFolderWarnings } from "../../../../builder/app/node/current-folder.ts";
import { type Files, writeFiles } from "../../../support/case.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

/** What stands in the project, beside its sources. */
const STANDS: Files = {
  "package.json": "{}",
  "tsconfig.json": "{}",
  ".env": "A=1",
  "public/a.css": "",
  "views/a.ejs": "",
  "data.json": "{}",
  "locales/en/x.json": "{}",
};

async function opened(source: string, name = "main.js", declared: string[] = []) {
  const dir = realpathSync(temporaryDirectory());
  writeFiles(dir, { ...STANDS, [name]: source });
  const warnings = await currentFolderWarnings(dir, [path.join(dir, name)], declared);
  return warnings.map(({ code, message }) => {
    expect(code).toBe("W_CURRENT_FOLDER");
    return /opens (.*) in the current folder/.exec(message)?.[1];
  });
}

describe("a name of the current folder that the app has:", () => {
  test.each([
    ['fs.readFileSync("data.json", "utf8")', "data.json"],
    ["fs.readFile(`./data.json`, () => {})", "data.json"],
    [
      'import { createReadStream } from "node:fs"; createReadStream("public/a.css")',
      "public/a.css",
    ],
    ['await fs.promises.readdir("locales/en/")', "locales/en"],
    ['if (existsSync("public")) go()', "public"],
    ['app.use(express.static("public"))', "public"],
    ['app.use("/s", serveStatic("./public", {}))', "public"],
    ['app.set("views", "./views")', "views"],
    ['app.set("view engine", "ejs")', "views"],
    ['path.resolve("locales", "en")', "locales/en"],
    ['path.join(process.cwd(), "public", "a.css")', "public/a.css"],
    ['path.resolve(process.cwd(), "data.json")', "data.json"],
    ['fs.readFileSync("data.json"); express.static("public")', "data.json, public"],
  ])("%s", async (source, names) => {
    expect(await opened(source)).toEqual([names]);
  });

  test("in TypeScript", async () => {
    const source = 'import fs from "fs"; const a: string = fs.readFileSync("data.json", "utf8");';
    expect(await opened(source, "src/main.ts")).toEqual(["data.json"]);
  });
});

describe("nothing is said of", () => {
  test.each([
    ["a place beside the source", 'fs.readFileSync(path.join(__dirname, "data.json"))'],
    ["a place by import.meta", 'fs.readFileSync(new URL("./data.json", import.meta.url))'],
    ["a name that the app has not", 'fs.readFileSync("input.csv")'],
    ["what every project has", 'fs.readFileSync("package.json"); existsSync("tsconfig.json")'],
    ["a hidden file", 'fs.readFileSync(".env")'],
    ["an absolute path", 'fs.readFileSync("/data.json")'],
    ["a folder above", 'fs.readdirSync("..")'],
    ["the folder itself", 'fs.readdirSync("."); path.resolve("")'],
    ["a module", 'require("./data.json"); require.resolve("./data.json")'],
    ["a name that is only made at run time", "fs.readFileSync(name + '.json')"],
    ["a string that opens nothing", 'console.log("public"); app.get("views", "views")'],
    ["views that are set", 'app.set("view engine", "pug"); app.set("views", __dirname + "/views")'],
    ["an app that chooses its folder", 'process.chdir(__dirname); express.static("public")'],
    ["a source that nobody can parse", 'fs.readFileSync("data.json"); let let = (;'],
  ])("%s", async (_, source) => {
    expect(await opened(source)).toEqual([]);
  });

  test("what is declared to be the caller's", async () => {
    const source = 'fs.readFileSync("./data.json"); express.static("public")';
    expect(await opened(source, "main.js", ["data.json"])).toEqual(["public"]);
  });
});
