import { injectable } from "inversify";

enum Kind {
  Row = 7,
}

@injectable()
export class Store {
  rows(): Kind[] {
    return [Kind.Row];
  }

  fail(): never {
    throw new Error("no such row");
  }
}
