const Database = require("better-sqlite3");

const database = new Database(process.argv[2]);
database.exec("create table if not exists numbers (n)");
database.prepare("insert into numbers values (?)").run(21);
console.log(database.prepare("select sum(n) as sum from numbers").get().sum);
