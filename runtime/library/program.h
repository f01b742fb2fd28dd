/* The runner, which this library executes: from itself, or from a file. */
#ifndef LIBRARY_PROGRAM_H
#define LIBRARY_PROGRAM_H

/* Returns the descriptor of the runner in memory, close-on-exec, or -1 and errno. */
int program_in_memory(void);

#endif
