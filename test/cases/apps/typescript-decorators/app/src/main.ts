import "reflect-metadata";
import { Container, injectable } from "inversify";
import { Store } from "./store.js";

@injectable()
class Service {
  // Found by its type alone.
  constructor(readonly store: Store) {}
}

const container = new Container();
container.bind(Store).toSelf();
container.bind(Service).toSelf();
const { store } = container.get(Service);
console.log(store.constructor.name, store.rows());
if (process.argv.includes("fail")) store.fail();
