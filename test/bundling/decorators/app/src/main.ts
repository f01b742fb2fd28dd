
import { Later } from "./later";
import { note } from "./log";
import type { Shape } from "./types";
import * as all from "./types";
import Main, { Const, Id, Kind, Store, Word } from "./types";

@note("class")
export class Service<T> {
  @note() store: Store;
  @note() shape: Shape;
  @note() id: Id;
  @note() kind: Kind;
  @note() word: Word;
  @note() c: Const;
  @note() list: Store[];
  @note() tuple: [string, number];
  @note() maybe?: string | null;
  @note() flag: true;
  @note() fn: () => void;
  @note() big: bigint;
  @note() sym: symbol;
  @note() any: any;
  @note() generic: T;
  @note() qualified: all.Store;
  @note() promise: Promise<Store>;
  @note() date: Date;
  @note() later: Later;
  @note() main: Main;
  @note() literal: "a" | "b";
  @note() obj: { a: number };
  @note() un: Store | undefined;
  @note() static count: number;
  constructor(@note("param") readonly a: Store, private b?: Kind, ...rest: string[]) {}
  @note() async run(@note("p") x: Store, y = 1): Promise<void> {}
  @note() get prop(): string { return ""; }
  set prop(v: string) {}
  @note() [Symbol.iterator](): Iterator<number> { return null as any; }
  @note() ["computed" + 1](a: Date): this { return this; }
}
@note("derived") export class Derived extends Service<Date> {}
console.log(new Service(new Store()).a.kind, Object.keys(new Derived(new Store())).length, Service.name, new Later().service);
