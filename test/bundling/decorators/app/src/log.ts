import "reflect-metadata";

declare const process: any;
const seen: string[] = [];
const show = (t: any): any =>
  Array.isArray(t) ? t.map(show) : t === undefined ? "undefined" : (t?.name ?? String(t));
export function note(tag?: string): any {
  return (target: any, key?: any, at?: any) => {
    for (const k of ["design:type", "design:paramtypes", "design:returntype"]) {
      const v =
        key === undefined ? Reflect.getMetadata(k, target) : Reflect.getMetadata(k, target, key);
      seen.push(
        `${tag ?? ""} ${target.name ?? target.constructor.name}.${String(key ?? "")} ${typeof at} ${k.slice(7)} ${JSON.stringify(show(v))}`,
      );
    }
  };
}
process.on("exit", () => console.log(seen.join("\n")));
