export interface Day {
  name: string;
  /** 1..366 */
  number: number;
  year: number;
}

export function dayOf(date: Date): Day {
  const year = date.getUTCFullYear();
  const number = Math.floor((date.getTime() - Date.UTC(year, 0, 1)) / 86_400_000) + 1;
  const name = date.toLocaleDateString("en", { weekday: "long", timeZone: "UTC" });
  return { name, number, year };
}
