/*
 * The process that keeps a mount for later starts.
 *
 * It is in the user namespace of the first start and in a mount namespace of its own, in which
 * there is the image's mount and nothing else; it reads no byte of the image. It never ends
 * anything: when it goes, the kernel takes the mount from it, and apps that use it keep theirs. So
 * every signal may end it at any time. When the last of them has ended it stays for the linger only as
 * a child of the machine's process 1; whoever else adopts it may wait for its end.
 */
#ifndef SHARE_HOLDER_H
#define SHARE_HOLDER_H

/* Starts that wait to be heard. */
#define HOLDER_BACKLOG 4096

struct identity;
struct share;
struct archive;

/* What it gives to a start. The last one only where the mount has a user namespace. */
enum handed {
	HANDED_MOUNT, /* a detached copy; of a mount on the host its root */
	HANDED_USERS,
	HANDED_COUNT
};

/* The strategy that the byte stands for which comes with what is handed over; NULL: none. */
const char *holder_strategy(char byte);

/* What it keeps a mount by. */
struct held {
	const char *strategy;
	const char *target;
	int server; /* the socket whose other end the FUSE server holds, or -1 */
	int janitor; /* of a mount on the host: a socket to it, which keeps the mount; or -1 */
};

/*
 * Leaves one behind, for that mount of the archive and with share->listener, which is closed here. When
 * there is none in the end, later starts mount by themselves.
 */
void holder_start(struct share *share, const struct identity *identity,
		  const struct archive *archive, const struct held *held);

#endif
