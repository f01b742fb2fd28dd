/* Descriptors handed from process to process. */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

#include <stddef.h>

/* Sends `size` bytes, and with them `fd` unless it is -1. Returns 0, or -1 and errno. */
int send_message(int socket, const void *data, size_t size, int fd);
/* Sends one descriptor, with one byte. */
int send_descriptor(int socket, int fd);
/* Returns the descriptor (close-on-exec), or -1 when the other side ended without sending one. */
int receive_descriptor(int socket);
/* Closes everything from `first` on. */
void close_from(int first);

#endif
