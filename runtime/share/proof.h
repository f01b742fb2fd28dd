/*
 * How two processes show each other that they are the same user, with the same home: by the
 * kernel's word alone. Nothing is sent for it that a third one could use.
 *
 * Each side holds a write lock on one byte of a file in ~/.fuselage. For that the file has to be
 * open for writing: who is kept from the home, or sees it read-only (a sandbox, a container), has no
 * such descriptor, and nobody gives it one. SO_PEERCRED says which process is at the other end of a
 * socket, F_GETLK which one holds the byte.
 *
 * But the number of a process that has ended is given to another one, and a socket can outlive who
 * connected it. So the byte also belongs to the socket: it is made of its name, and no two sockets
 * have one name. It is locked only while the socket has the name.
 */
#ifndef SHARE_PROOF_H
#define SHARE_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

/* Bytes of a socket's name that count: as many as the kernel makes for one that has none. */
#define PROOF_NAME 5
/* Size of the address of such a socket. */
#define PROOF_SOCKET (offsetof(struct sockaddr_un, sun_path) + 1 + PROOF_NAME)

/* A name of one kind is none of the other. */
enum proof_side {
	PROOF_START,
	PROOF_HOLDER
};

/* Opens the file of the locks in the home of user `uid`; close-on-exec. Every lock of this process ends with it. */
int proof_open(const char *home, uid_t uid);
/* Takes the lock for a socket of this process. */
bool proof_give(int file, enum proof_side side, const void *name);
/* The process at the other end, when it is of this user and can be seen from here; else 0. */
pid_t proof_peer(int socket, uid_t uid);
/* True when it is this process that holds the lock for the socket of this name. */
bool proof_given(int file, enum proof_side side, const void *name, pid_t pid);

#endif
