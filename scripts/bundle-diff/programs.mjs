// Popular packages and a few lines with each, which print what only works when all of it does.
//
// `it` is the package: what require() gives, or of an import the default where there is one. Of
// `modules` there is only the import.

/**
 * @typedef {{version: string, body: string, modules?: true, also?: string[]}} Program
 * `also`: other packages of this list that the lines take, as `take("NAME")`
 */

const names = "show(Object.keys(it).sort().slice(0, 200));";

/** @type {Record<string, Program>} */
export const programs = {
  acorn: {
    version: "8.15.0",
    body: 'show(it.parse("let a = () => 1", { ecmaVersion: 2022 }).body[0].type);',
  },
  ajv: {
    version: "8.17.1",
    body: 'const Ajv = it.default ?? it; const check = new Ajv().compile({ type: "object", properties: { a: { type: "integer" } } }); show(check({ a: 1 }), check({ a: "x" }), check.errors, Ajv.name);',
  },
  async: {
    version: "3.2.6",
    body: "it.map([1, 2, 3], (n, done) => done(null, n * 2), (error, found) => show(error, found));",
  },
  axios: {
    version: "1.11.0",
    body: 'const { AxiosError, create } = it; show(new AxiosError("x").name, create({ baseURL: "http://a/" }).getUri({ url: "b", params: { c: 1 } }), it.VERSION);',
  },
  "@babel/parser": {
    version: "7.28.3",
    body: 'show(it.parse("a?.b ?? 1", { sourceType: "module" }).program.body[0].expression.type);',
  },
  bcryptjs: {
    version: "3.0.2",
    body: 'show(it.compareSync("a", it.hashSync("a", 4)), it.getRounds(it.hashSync("a", 5)));',
  },
  "big.js": {
    version: "7.0.1",
    body: 'const Big = it.Big ?? it; show(new Big("0.1").plus("0.2").toString());',
  },
  bluebird: {
    version: "3.7.2",
    body: "it.map([1, 2], (n) => n + 1).then((all) => show(all, it.name)); it.reject(new it.TimeoutError()).catch((error) => show(error.name));",
  },
  "bn.js": {
    version: "5.2.2",
    body: 'show(new it("123456789012345678901234567890").mul(new it(3)).toString(16));',
  },
  chalk: {
    version: "5.6.0",
    modules: true,
    body: 'show(new (await import("chalk")).Chalk({ level: 1 }).red.bold("x"));',
  },
  cheerio: {
    version: "1.1.2",
    body: 'const $ = it.load("<ul><li>1<li>2</ul>"); show($("li").map((_, e) => $(e).text()).get());',
  },
  commander: {
    version: "14.0.0",
    body: 'const { Command } = it; const c = new Command("x").option("-a, --all <n>").argument("[rest]").exitOverride(); c.parse(["node", "x", "--all", "3", "rest"]); show(c.opts(), c.args, c.constructor.name, c.helpInformation());',
  },
  "core-js": {
    version: "3.45.1",
    body: "show(typeof globalThis.Iterator, [1, [2]].flat(), Object.groupBy([1, 2], (n) => n % 2));",
  },
  cors: { version: "2.8.5", body: "show(typeof it({ origin: true }), it.name, it.length);" },
  "csv-parse": {
    version: "6.1.0",
    body: 'it.parse("a,b\\n1,2\\n", { columns: true }, (error, rows) => show(error ?? null, rows));',
  },
  "date-fns": {
    version: "4.1.0",
    body: 'show(it.formatISO(it.addDays(new Date(Date.UTC(2020, 1, 28)), 2), { representation: "date" }), it.add.name, Object.keys(it).length);',
  },
  dayjs: {
    version: "1.11.13",
    body: 'show(it("2020-02-28").add(2, "day").format("YYYY-MM-DD dddd"), it.isDayjs(it()));',
  },
  debug: {
    version: "4.4.1",
    body: 'const log = it("a:b"); it.enable("a:*"); show(log.enabled, it("c").enabled, Object.keys(it).sort());',
  },
  "decimal.js": {
    version: "10.6.0",
    body: "const Decimal = it.Decimal ?? it; show(new Decimal(2).sqrt().toFixed(30), Decimal.name);",
  },
  dotenv: { version: "17.2.1", body: 'show(it.parse("A=1\\nB=\\"x y\\""));' },
  ejs: {
    version: "3.1.10",
    body: 'show(it.render("<% for (const a of all) { %><%= a %>,<% } %>", { all: ["<", 2] }));',
  },
  eventemitter3: {
    version: "5.0.1",
    body: 'const E = it.EventEmitter ?? it; const e = new E(); e.on("a", (...all) => show(all)); show(e.emit("a", 1), E.name);',
  },
  express: {
    version: "5.1.0",
    body: 'const app = it(); app.get("/:a", (request, response) => response.json(request.params)); const server = app.listen(0, "127.0.0.1", async () => { show(await (await fetch(`http://127.0.0.1:${server.address().port}/x`)).json()); server.close(); });',
  },
  "fast-glob": {
    version: "3.3.3",
    body: 'show(it.sync("*.json", { cwd: process.env.DATA }), it.isDynamicPattern("*"));',
  },
  "fast-xml-parser": {
    version: "5.2.5",
    body: 'show(new it.XMLParser({ ignoreAttributes: false }).parse("<a b=\\"1\\"><c>2</c></a>"));',
  },
  fastify: {
    version: "5.6.1",
    body: 'const app = (it.default ?? it)(); app.register(async function plugin(one) { one.get("/:a", async ({ params }) => params); }); app.register(async function second(one) { one.decorate("x", 1); }); await_(app.inject("/x"), (answer) => show(answer.json(), app.printPlugins().replace(/\\d+ ms/g, "").replace(/bound _after/, "")));',
  },
  glob: {
    version: "11.0.3",
    body: 'show(it.globSync("*.json", { cwd: process.env.DATA }), it.Glob.name);',
  },
  got: {
    version: "14.4.7",
    modules: true,
    body: 'show(typeof it.get, Object.keys(it.defaults.options).length > 5, (await import("got")).HTTPError.name);',
  },
  graphql: {
    version: "16.11.0",
    body: 'const { graphqlSync, buildSchema, GraphQLObjectType } = it; show(graphqlSync({ schema: buildSchema("type Query { a: Int }"), source: "{ a }", rootValue: { a: 3 } }), GraphQLObjectType.name);',
  },
  handlebars: {
    version: "4.7.8",
    body: 'show((it.default ?? it).compile("{{#each all}}{{this}},{{/each}}")({ all: [1, "<"] }));',
  },
  helmet: {
    version: "8.1.0",
    body: "const headers = {}; const helmet = it.default ?? it; helmet()({}, { setHeader: (a, b) => { headers[a] = b; }, removeHeader() {} }, () => show(headers));",
  },
  i18next: {
    version: "25.4.2",
    body: 'const i = it.default ?? it; await_(i.init({ lng: "a", showSupportNotice: false, resources: { a: { translation: { k: "v {{x}}" } } } }), () => show(i.t("k", { x: 1 }), i.constructor.name));',
  },
  "iconv-lite": {
    version: "0.7.0",
    body: 'show(it.decode(it.encode("äß€", "win1252"), "win1252"), it.encode("あ", "shift_jis").toString("hex"));',
  },
  immer: {
    version: "10.1.3",
    body: "const before = { a: [1] }; const after = it.produce(before, (d) => { d.a.push(2); }); show(before, after, Object.isFrozen(after), it.produce.name);",
  },
  inversify: {
    version: "7.8.1",
    also: ["reflect-metadata"],
    body: 'take("reflect-metadata"); class A {} it.injectable()(A); const c = new it.Container(); c.bind(A).toSelf(); show(c.get(A).constructor.name, it.Container.name);',
  },
  joi: {
    version: "18.0.1",
    body: "const Joi = it.default ?? it; const { error } = Joi.object({ a: Joi.number().required() }).validate({}); show(error.name, error.message, Joi.version);",
  },
  jose: {
    version: "6.0.13",
    modules: true,
    body: 'const key = new Uint8Array(32); const token = await new it.SignJWT({ a: 1 }).setProtectedHeader({ alg: "HS256" }).sign(key); show((await it.jwtVerify(token, key)).payload, it.errors.JWTExpired.name);',
  },
  "js-yaml": {
    version: "4.1.0",
    body: 'show(it.load("a: [1, 0o10]\\nb: !!set {x}"), it.dump({ a: [1] }));',
  },
  jsonwebtoken: {
    version: "9.0.2",
    body: 'const token = it.sign({ a: 1 }, "s", { noTimestamp: true }); show(token, it.verify(token, "s")); try { it.verify(token, "t"); } catch (error) { show(error.name, error instanceof it.JsonWebTokenError); }',
  },
  knex: {
    version: "3.1.0",
    body: 'const k = (it.default ?? it)({ client: "pg" }); show(k("t").where("a", 1).select("b").toString());',
  },
  koa: {
    version: "3.0.1",
    body: 'const app = new (it.default ?? it)(); app.use(async (context) => { context.body = { path: context.path }; }); const server = app.listen(0, "127.0.0.1", async () => { show(await (await fetch(`http://127.0.0.1:${server.address().port}/x`)).json(), app.constructor.name); server.close(); });',
  },
  lodash: {
    version: "4.17.21",
    body: `show(it.chunk([1, 2, 3], 2), it.template("<%= a %>")({ a: 1 }), it.VERSION); ${names}`,
  },
  "lodash-es": {
    version: "4.17.21",
    modules: true,
    body: `show(it.chunk([1, 2, 3], 2), it.debounce.name, it.merge({ a: 1 }, { b: 2 })); ${names}`,
  },
  luxon: {
    version: "3.7.1",
    body: 'show(it.DateTime.fromISO("2020-02-28T00:00:00Z", { zone: "utc" }).plus({ days: 2 }).toISO(), it.Duration.name);',
  },
  "markdown-it": {
    version: "14.1.0",
    body: 'show((it.default ?? it)({ linkify: true }).render("# a\\n\\nhttp://b.c *d*"));',
  },
  marked: {
    version: "16.2.0",
    body: 'show(it.marked.parse("# a\\n\\n| b |\\n|---|\\n| c |"), it.Lexer.name);',
  },
  mathjs: {
    version: "14.6.0",
    body: 'show(it.evaluate("sqrt(3^2 + 4^2)"), it.format(it.inv([[1, 2], [3, 4]]), 3), it.matrix([1]).constructor.name);',
  },
  micromatch: {
    version: "4.0.8",
    body: 'show(it(["a.js", "b.ts"], "*.{js,mjs}"), it.makeRe("a/**").source);',
  },
  "mime-types": {
    version: "3.0.1",
    body: 'show(it.lookup("a.json"), it.contentType("text/html"), it.extension("image/png"));',
  },
  minimist: { version: "1.2.8", body: 'show(it(["--a=1", "-bc", "d"]));' },
  moment: {
    version: "2.30.1",
    body: 'show(it.utc("2020-02-28").add(2, "days").format("LLLL"), it.locales());',
  },
  mustache: { version: "4.2.0", body: 'show(it.render("{{#a}}<{{.}}>{{/a}}", { a: [1, "&"] }));' },
  nanoid: {
    version: "5.1.5",
    modules: true,
    body: 'show(it.nanoid().length, it.customAlphabet("a", 5)());',
  },
  "node-fetch": {
    version: "3.3.2",
    modules: true,
    body: 'const { Headers, FetchError, Response } = await import("node-fetch"); show(new Headers({ A: "b" }).get("a"), FetchError.name, await new Response("x").text());',
  },
  nodemailer: {
    version: "7.0.5",
    body: 'it.createTransport({ jsonTransport: true }).sendMail({ from: "a@b", to: "c@d", subject: "s", messageId: "x", date: new Date(0) }, (error, info) => show(error, JSON.parse(info.message).subject));',
  },
  nunjucks: {
    version: "3.2.4",
    body: 'show(it.renderString("{% for a in all %}{{ a | upper }}{% endfor %}", { all: ["x", "y"] }));',
  },
  "p-limit": {
    version: "7.1.1",
    modules: true,
    body: "const limit = it(1); show(await Promise.all([1, 2].map((n) => limit(async () => n * 2))), limit.name);",
  },
  "p-queue": {
    version: "8.1.0",
    modules: true,
    body: "const q = new it({ concurrency: 1 }); show(await q.addAll([async () => 1, async () => 2]), it.name);",
  },
  picomatch: { version: "4.0.3", body: 'show(it("*.js")("a.js"), it.makeRe("a/**/b").source);' },
  pino: {
    version: "9.9.0",
    body: 'const log = (it.default ?? it)({ base: null, timestamp: false }, { write: (line) => show(line) }); log.child({ a: 1 }).info({ b: 2 }, "hello %s", "you"); show(it.levels ?? it.default.levels);',
  },
  postcss: {
    version: "8.5.6",
    body: 'show(it([(root) => { root.walkDecls((d) => { d.value = "red"; }); }]).process("a { color: blue }", { from: undefined }).css, it.rule({ selector: "a" }).constructor.name);',
  },
  protobufjs: {
    version: "7.5.4",
    body: 'const { root } = it.parse("syntax = \\"proto3\\"; message A { int32 b = 1; }"); const A = root.lookupType("A"); show(Buffer.from(A.encode({ b: 300 }).finish()).toString("hex"), A.constructor.name);',
  },
  pug: {
    version: "3.0.3",
    body: 'show(it.render("ul\\n  each a in all\\n    li= a", { all: [1, "<"] }));',
  },
  qs: {
    version: "6.14.0",
    body: 'show(it.parse("a[b]=1&a[c][]=2"), it.stringify({ a: { b: [1] } }));',
  },
  ramda: {
    version: "0.31.3",
    body: "show(it.pipe(it.map(it.inc), it.sum)([1, 2]), it.curry((a, b) => a + b)(1)(2), Object.keys(it).length);",
  },
  react: {
    version: "19.1.1",
    body: 'show(it.version, it.createElement("a", { b: 1 }).props, it.Component.name); ',
  },
  "react-dom": {
    version: "19.1.1",
    also: ["react"],
    body: 'const React = take("react"); const { renderToString } = take("react-dom/server"); function App() { const [n] = React.useState(3); return React.createElement("b", null, n); } show(renderToString(React.createElement(App)), it.version);',
  },
  "reflect-metadata": {
    version: "0.2.2",
    body: 'class A {} Reflect.defineMetadata("k", 1, A); show(Reflect.getMetadata("k", A));',
  },
  rxjs: {
    version: "7.8.2",
    body: "it.of(1, 2, 3).pipe(it.map((n) => n * 2), it.reduce((a, b) => a + b)).subscribe((n) => show(n, new it.Subject().constructor.name, new it.EmptyError().name));",
  },
  semver: {
    version: "7.7.2",
    body: 'show(it.satisfies("1.2.3", "^1"), it.inc("1.2.3", "minor"), new it.SemVer("1.2.3").constructor.name);',
  },
  sharp: {
    version: "0.34.3",
    body: 'await_(it({ create: { width: 2, height: 2, channels: 3, background: "red" } }).png().toBuffer(), (png) => show(png.subarray(1, 4).toString(), it.format.png.id));',
  },
  "socket.io": {
    version: "4.8.1",
    body: 'const io = new it.Server(); show(io.constructor.name, io.of("/a").name);',
  },
  terser: {
    version: "5.43.1",
    body: 'await_(it.minify("function add(first, second) { return first + second; } console.log(add(1, 2));"), ({ code }) => show(code));',
  },
  tslib: { version: "2.8.1", body: `show(it.__rest({ a: 1, b: 2 }, ["a"])); ${names}` },
  undici: {
    version: "7.15.0",
    body: 'show(new it.Headers({ A: "b" }).get("a"), it.Agent.name, new it.errors.ConnectTimeoutError("x").name);',
  },
  uuid: {
    version: "11.1.0",
    body: 'show(it.v5("a", it.NIL), it.validate(it.v4()), it.version(it.v7()));',
  },
  vue: {
    version: "3.5.20",
    body: 'const { createSSRApp, h, ref } = it; show(it.version, typeof createSSRApp({ render: () => h("a") }).mount, ref(1).value, Object.keys(it).length > 100);',
  },
  winston: {
    version: "3.17.0",
    body: 'const log = it.createLogger({ format: it.format.json(), transports: [new it.transports.Console()] }); log.info("hello", { a: 1 }); show(log.constructor.name, Object.keys(it.transports));',
  },
  ws: {
    version: "8.18.3",
    body: 'const { WebSocketServer, WebSocket } = all; const server = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () => { const client = new WebSocket(`ws://127.0.0.1:${server.address().port}`); client.on("message", (data) => { show(String(data), WebSocketServer.name); client.close(); server.close(); }); }); server.on("connection", (one) => one.send("hi"));',
  },
  xml2js: {
    version: "0.6.2",
    body: 'it.parseString("<a b=\\"1\\"><c>2</c></a>", (error, found) => show(error, found));',
  },
  yaml: {
    version: "2.8.1",
    body: 'show(it.parse("a: [1, 2]\\nb: &x {c: 1}\\nd: *x"), it.stringify({ a: [1] }), it.Document.name);',
  },
  yargs: {
    version: "17.7.2",
    body: 'const y = it.default ?? it; show(y(["--a", "1", "b"]).option("a", { type: "number" }).help(false).version(false).parseSync().a);',
  },
  yup: {
    version: "1.7.0",
    body: "try { it.object({ a: it.number().required() }).validateSync({}); } catch (error) { show(error.name, error.message, it.ValidationError.name); }",
  },
  zod: {
    version: "4.1.3",
    body: 'const { z } = all; const found = z.object({ a: z.string().min(2) }).safeParse({ a: "x" }); show(found.success, found.error.issues[0].code, found.error.constructor.name, z.string().constructor.name);',
  },
};
