/** Figures of an engine: the text format of Prometheus, version 0.0.4. */

export interface Figure {
  name: string;
  labels: Readonly<Record<string, string>>;
  /** A number, or the mean of what a histogram or a summary counted. */
  value: number;
  /** How much was counted for the mean; undefined: the value is no mean. */
  count?: number;
}

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** No two parts of it take the same blanks: lines are of any length. */
const SAMPLE = /^([A-Za-z_:][\w:]*)(?:\s*\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$/;
const LABEL = /([A-Za-z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?\s*/gy;

/** Lines that are none of the format are passed over, as scrapers of newer formats want it. */
function* samples(text: string): Generator<Sample> {
  for (const line of text.split("\n")) {
    const [, name, inside = "", number = ""] = SAMPLE.exec(line.trim()) ?? [];
    if (name === undefined) continue;
    const labels = [...inside.matchAll(LABEL)].map(([, label = "", value = ""]) => [
      label,
      value.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char)),
    ]);
    yield { name, labels: Object.fromEntries(labels), value: numberOf(number) };
  }
}

const numberOf = (text: string): number =>
  Number(text.replace(/^([+-]?)Inf$/i, "$1Infinity").replace(/^NaN$/i, "NaN"));

/**
 * The figures that begin with `prefix`, sorted by name. Of a histogram or summary only how often and how
 * much on average is left.
 */
export function figures(text: string, prefix: string): Figure[] {
  const types = new Map<string, string>();
  for (const [, name = "", type = ""] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    types.set(name, type);
  }
  const isCounted = (name: string) => ["histogram", "summary"].includes(types.get(name) ?? "");
  const means = new Map<string, Figure & { sum: number }>();
  const found: Figure[] = [];
  for (const { name, labels, value } of samples(text)) {
    if (!name.startsWith(prefix)) continue;
    const [, base = "", part = ""] = /^(.*?)(?:_(bucket|sum|count))?$/.exec(name) ?? [];
    const family = isCounted(name) ? name : base;
    if (!isCounted(family)) {
      found.push({ name, labels, value });
      continue;
    }
    if (part !== "sum" && part !== "count") continue;
    const key = JSON.stringify([family, labels]);
    const mean = means.get(key) ?? { name: family, labels, value: 0, count: 0, sum: 0 };
    if (part === "sum") mean.sum = value;
    else mean.count = value;
    means.set(key, mean);
  }
  for (const { sum, count = 0, ...rest } of means.values()) {
    found.push({ ...rest, count, value: count === 0 ? 0 : sum / count });
  }
  const order = (one: Figure) => `${one.name}\0${JSON.stringify(one.labels)}`;
  return found.sort((a, b) => (order(a) < order(b) ? -1 : 1));
}
