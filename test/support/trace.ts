/** What a setuid-root program asks of the kernel while its effective user is root, by strace. */

/** One system call that was made with root's rights. */
export interface RootCall {
  name: string;
  /** As strace prints them. */
  args: string;
  /** Quoted strings among the arguments that name a file, in order. */
  paths: string[];
}

const forks = new Set(["clone", "clone3", "fork", "vfork"]);

/** How many of a call's strings are names of files; of others all are. */
const named: Record<string, number> = { mount: 2, fsconfig: 0, setxattr: 1 };

/** A path as the kernel got it. */
const unquote = (text: string) =>
  text.replace(/\\(x[0-9a-f]{2}|[0-7]{1,3}|.)/g, (_, code: string) => {
    if (code.startsWith("x")) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return /^[0-7]/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : code;
  });

/** Each call on one line: strace splits those during which another process is at work. */
function whole(log: string): string[] {
  const lines: string[] = [];
  const pending = new Map<string, number>();
  for (const line of log.split("\n")) {
    const [, pid = "", rest] = /^(\d+)\s+<\.\.\. \w+ resumed>(.*)$/.exec(line) ?? [];
    if (rest !== undefined) {
      const index = pending.get(pid);
      if (index !== undefined) lines[index] += rest;
      continue;
    }
    const [, caller, begun] = /^((\d+)\s+.*) <unfinished \.\.\.>$/.exec(line) ?? [];
    if (begun !== undefined) pending.set(begun, lines.length);
    lines.push(caller ?? line);
  }
  return lines;
}

/**
 * Reads the output of `strace -f`, from the execve of `program` on.
 *
 * @param uid of the caller: what the effective user is when root is laid down
 */
export function callsAsRoot(log: string, program: string, uid: number): RootCall[] {
  const effective = new Map<string, number>();
  const calls: RootCall[] = [];
  for (const line of whole(log)) {
    const match = /^(\d+)\s+(\w+)\((.*)$/.exec(line);
    if (!match) continue; // A signal, an end, or the second half of a call.
    const [, pid, name, rest] = match as unknown as [string, string, string, string];
    const now = effective.get(pid) ?? uid;
    const child = forks.has(name) ? / = (\d+)$/.exec(rest)?.[1] : undefined;
    if (child !== undefined) effective.set(child, now);
    const failed = / = -1 [A-Z]/.test(rest);
    if (name === "execve" && !failed) {
      effective.set(pid, rest.startsWith(`"${program}"`) ? 0 : now);
    } else if (name === "setresuid" && !failed) {
      const to = rest.split(",")[1]?.trim();
      if (to !== "-1") effective.set(pid, Number(to));
    } else if (now === 0) {
      const strings = [...rest.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, s]) => unquote(s ?? ""));
      calls.push({ name, args: rest, paths: strings.slice(0, named[name]) });
    }
  }
  return calls;
}
