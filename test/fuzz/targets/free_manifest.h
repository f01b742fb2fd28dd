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
	free(manifest->bytes);
}

#endif
