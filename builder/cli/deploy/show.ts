/** Deployments as text. What an engine says is for a terminal only after `printable`. */
import type { Environment, Snapshot } from "../../deploy/environments.ts";
import type { EnvironmentEvent } from "../../deploy/events.ts";
import type { Figure } from "../../deploy/metrics.ts";
import { formatBytes, printable } from "../print.ts";

/** Rows as columns; nothing for no rows. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_, column) =>
    all.reduce((most, row) => Math.max(most, row[column]?.length ?? 0), 0),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return all.map((row) => `${line(row)}\n`).join("");
}

const endpointsOf = ({ endpoints = [] }: Environment): string =>
  endpoints.map(({ as, port, url }) => `${as || port} ${url}`).join(", ");

export function environmentTable(all: readonly Environment[]): string {
  return table(
    ["NAME", "STATE", "HEALTH", "HOST", "SINCE", "ENDPOINTS"],
    all.map((one) => [
      one.task_id || one.id,
      one.state,
      one.health?.state ?? "-",
      one.host_id || "-",
      one.created_at,
      endpointsOf(one),
    ]),
  );
}

export function environmentRows(one: Environment): string {
  const { id, task_id: task, state, health, host_id: host, spec, error } = one;
  const rows: [string, string][] = [
    ["name", task || id],
    ["identifier", id],
    ["state", state],
    [
      "health",
      health === undefined ? "" : [health.state, health.message].filter(Boolean).join(": "),
    ],
    ["host", host ?? ""],
    [
      "machine",
      `${spec?.cpus ?? "?"} ${spec?.cpus === 1 ? "processor" : "processors"}, ${spec?.ram_mb ?? "?"} MiB`,
    ],
    ["region", spec?.region ?? ""],
    ["created", one.created_at],
    ["changed", one.updated_at],
    ["endpoints", endpointsOf(one)],
    ["failure", error ?? ""],
  ];
  const shown = rows.filter(([, value]) => value !== "");
  return shown.map(([name, value]) => `${name.padEnd(11)} ${printable(value)}\n`).join("");
}

export function snapshotTable(all: readonly Snapshot[]): string {
  return table(
    ["SNAPSHOT", "OF", "STATE", "SIZE", "MADE", "COMMENT"],
    all.map((one) => [
      one.id,
      one.task_id || one.vm_id,
      one.state ?? "-",
      one.size_bytes ? formatBytes(one.size_bytes) : "-",
      one.created_at,
      one.comment ?? "",
    ]),
  );
}

export function eventLine({ updated_at: time, state, url, error }: EnvironmentEvent): string {
  const more = [url, error].filter((text) => text !== undefined && text !== "");
  return `${printable([time, state, ...more].join(" "))}\n`;
}

export function metricTable(all: readonly Figure[]): string {
  return table(
    ["METRIC", "LABELS", "VALUE"],
    all.map(({ name, labels, value, count }) => [
      name,
      Object.entries(labels)
        .map(([label, text]) => `${label}=${text}`)
        .join(","),
      count === undefined ? numberText(value) : `${count}, ${numberText(value)} on average`,
    ]),
  );
}

const numberText = (value: number): string =>
  Number.isInteger(value) ? `${value}` : `${Number(value.toPrecision(4))}`;
