/** Media types of what we write (OCI image specification 1.1, "Media Types"). */
export const mediaTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  empty: "application/vnd.oci.empty.v1+json",
  layer: {
    none: "application/vnd.oci.image.layer.v1.tar",
    gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
    zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  },
  /** A bundle as it is: of the artifact, and of its one layer. */
  bundle: "application/vnd.fuselage.bundle.v1",
} as const;

/** The platform of a machine, as Go calls it. */
export const goArchitectures = { x86_64: "amd64", aarch64: "arm64", riscv64: "riscv64" } as const;
