// Where nobody brings it along, compilers differ in whether there are metadata at all.
(Symbol as any).metadata ??= Symbol.for("Symbol.metadata");
const seen: string[] = [];
function note<T>(value: T, context: any): T | void {
  const { kind, name, static: isStatic, private: isPrivate } = context;
  seen.push(`${kind} ${String(name)} ${isStatic} ${isPrivate} ${typeof context.metadata}`);
  context.metadata[String(name)] = kind;
  context.addInitializer?.(function (this: any) {
    seen.push(`init ${String(name)} of ${this.name ?? this.constructor.name}`);
  });
}
const twice =
  (_: undefined, { name }: any) =>
  (value: number) => (seen.push(`field ${String(name)}`), value * 2);
const loud = (method: any, context: any) =>
  function (this: any, ...all: any[]) {
    return `${String(context.name)}: ${method.apply(this, all)}`;
  };
function counted(Base: any, { name }: any): any {
  return class Counted extends Base {
    static title = `${name} of ${Base.name}`;
  };
}

@note
class Base {
  @note @twice size = 4;
  @twice static count = 1;
  @twice #secret = 5;
  @note accessor wide = 3;
  @note @loud tell(text: string) {
    return text + this.#secret;
  }
  @note get area() {
    return this.size * this.wide;
  }
  @note set area(_: number) {}
  @note static of() {
    return new Base();
  }
  @loud #hidden() {
    return "hidden";
  }
  both() {
    return this.#hidden();
  }
  @loud ["made" + 1]() {
    return 1;
  }
}
@counted
class Derived extends Base {}

const one = Base.of();
one.wide = 7;
console.log(one.size, Base.count, one.tell("a"), one.area, one.both(), (one as any).made1());
console.log((Derived as any).title, new Derived().size, Base.name, one.constructor === Base);
console.log(Object.keys((Base as any)[(Symbol as any).metadata]).join());
console.log(seen.join("\n"));
