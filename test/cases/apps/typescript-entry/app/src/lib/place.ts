interface Place {
  readonly parts: string[];
}

export function where(): string {
  const place: Place = { parts: import.meta.url.split("/") };
  return place.parts.slice(-3).join("/");
}

export function fail(): never {
  throw new Error("on purpose");
}
