const path = require("node:path");
const app = require("express")();

app.set("view engine", "ejs");
app.set("views", path.join(__dirname, "views"));
app.get("/", (_, response) => response.render("index", { name: "views" }));

const server = app.listen(0, "127.0.0.1", async () => {
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`);
  console.log(await answer.text());
  server.close();
});
