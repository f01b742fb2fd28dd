/** Sources of a Node app, before and after they are prepared for an image: bundled.ts, unbundled.ts. */
import type { Warning } from "../../warnings.ts";
import type { AppRequest } from "../kind.ts";
import type { Compiled } from "./compile-cache.ts";
import type { Closure } from "./installed.ts";
import type { NodeAppTree } from "./node-app-tree.ts";
import type { NodeEntry } from "./node-entry.ts";
import type { PackageReader } from "./package.ts";
import type { Target } from "./target.ts";

/** What every way of preparing the sources is told. */
export interface Sources {
  entry: NodeEntry;
  target: Target;
  /** Version of Node that will run it, when it is known. */
  node: string | undefined;
  /** That Node, once it is there, when it runs on this machine. */
  runs: Promise<string | undefined>;
  request: AppRequest;
  reader: PackageReader;
}

/** The sources, ready to be put into an image. */
export interface Prepared {
  closure: Closure;
  /** The file that Node starts: absolute, as if it stood on the host. */
  start: string;
  /** How, with the reason when it is not bundled: "bundled", "as it is (as asked for)". */
  how: string;
  explain: string[];
  warnings: Warning[];
  /** Sources that are the app's own, of the host, as far as they are known. */
  own: readonly string[];
  /** Puts all but installed packages into the image. @returns globs of --include that match nothing */
  fill(image: NodeAppTree): Promise<string[]>;
  /** Programs and what they import, for the compile cache; places are of the host. */
  compiled: Compiled[];
}
