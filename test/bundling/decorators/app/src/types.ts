export class Store {
  kind = "store";
}
export interface Shape {
  a: number;
}
export type Id = string | number;
export enum Kind {
  A,
  B,
}
export enum Word {
  A = "a",
}
export const enum Const {
  X = 3,
}
export default class Main {}
