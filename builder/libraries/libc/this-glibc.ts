/** The glibc that this process runs with. */

/** Its version, "2.36"; undefined where it is another libc. */
export function thisGlibc(): string | undefined {
  const maker: NodeJS.ProcessReport & { excludeNetwork?: boolean } = process.report;
  const { excludeNetwork = false } = maker;
  // Else it would look up the name of every peer.
  maker.excludeNetwork = true;
  const report: unknown = maker.getReport();
  maker.excludeNetwork = excludeNetwork;
  const { header } = report as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime;
}
