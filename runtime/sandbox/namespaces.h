/* Namespaces that rules ask for by word, of a process that has a user namespace of its own or is root. */
#ifndef SANDBOX_NAMESPACES_H
#define SANDBOX_NAMESPACES_H

#include "sandbox/seal.h"

/* ipcns and netns, with loopback. What became of them is in the facts. */
void sandbox_unshare(const struct sandbox *sandbox, struct facts *facts);

#endif
