/* Descriptors handed from process to process. */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

#include <stddef.h>

#define DESCRIPTORS_MAX 4

/* Sends `size` bytes and `count` descriptors as one message. Returns 0, or -1 and errno. */
int send_descriptors(int socket, const void *data, size_t size, const int *fds, int count);
/*
 * Receives at most `most` of them (close-on-exec) and one byte. Returns how many the message had,
 * or -1 when it is none of these; in any case the first ones are in `fds` then and the caller's.
 */
int receive_descriptors(int socket, int *fds, int most, char *byte);
/* Sends `size` bytes, and with them `fd` unless it is -1. */
int send_message(int socket, const void *data, size_t size, int fd);
/* Sends one descriptor, with one byte. */
int send_descriptor(int socket, int fd);
/* Returns the descriptor (close-on-exec), or -1 when the other side ended without sending one. */
int receive_descriptor(int socket);
/* The file that is open as `fd`, or `name` in that directory, as a path: for calls that take nothing
 * else. */
void descriptor_link(char *link, size_t size, int fd, const char *name);
/* What the kernel calls it, as a text of less than `size` bytes; -1 and "" when it cannot tell. */
int descriptor_path(int fd, char *path, size_t size);
/* Closes everything from `first` on. */
void close_from(int first);

#endif
