/* What manifest_read allocates; the runtime itself keeps it until exec. */
#ifndef FUZZ_FREE_MANIFEST_H
#define FUZZ_FREE_MANIFEST_H

#include <stdlib.h>

#include "bundle/manifest.h"

static inline void free_manifest(struct manifest *manifest)
{
	free(manifest->args);
	free(manifest->variables);
	free(manifest->invocation);
	free(manifest->maps);
	free(manifest->start);
	free(manifest->root.cmd.texts);
	free(manifest->root.run.texts);
	free(manifest->root.ports.texts);
	free(manifest->root.volumes.texts);
	free(manifest->root.labels.texts);
	free(manifest->sandbox.texts);
	free(manifest->bytes);
}

#endif
