/*
 * Squashfs images as mounts, for programs that place them themselves: container runtimes, hooks, service
 * managers. Link with libfuselage-mount.a: `pkg-config --cflags --libs fuselage-mount`.
 *
 *   struct fuselage_image *image = fuselage_image_open("app.run");
 *   int mount = fuselage_mount_detached(image, NULL, "threads=4");
 *   fuselage_mount_attach(mount, AT_FDCWD, "/mnt");
 *
 * An image is a squashfs file, an ELF file with an image (a bundle, an AppImage), a zip file, or base64
 * text of one of them. The kernel's squashfs serves it over a loop device where the caller may have one,
 * else a server of ours does: a process of its own, with a program of its own, which this library carries.
 * In the calling program there are neither threads nor locks of ours, and no state but the handles;
 * functions may be called by several threads at once, with different handles. The process that starts the
 * server is a copy of the caller for some system calls; the caller sees no SIGCHLD of it, nor does any
 * wait of its own collect it. A caller that is process 1 or a subreaper (PR_SET_CHILD_SUBREAPER) gets the
 * server as a child in the end, as it does with every process that is nobody's.
 *
 * A function that fails returns -1, or NULL, and sets errno. Descriptors that are returned are
 * close-on-exec and the caller's. Needs Linux 5.2 and /proc.
 */
#ifndef FUSELAGE_MOUNT_H
#define FUSELAGE_MOUNT_H

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct fuselage_image;

/* Opens a file; it is looked into when it is mounted. */
struct fuselage_image *fuselage_image_open(const char *path);
/*
 * The same for an open file, of which a copy is made. `name` is for messages and, where it is a path
 * of a file, for the table of mounts.
 */
struct fuselage_image *fuselage_image_from(int fd, const char *name);
/* Mounts of it stay. NULL is nothing to close. */
void fuselage_image_close(struct fuselage_image *image);

/*
 * What came of it, in words: with `error` 0 how the image is served, "loop" or "fuse", else an errno
 * and "[CODE] what happened", docs/errors.md. `text` is valid until the function returns.
 */
typedef void fuselage_message(void *context, int error, const char *text);
/* Is called by each fuselage_mount_detached and fuselage_mount_serve that got an answer. */
void fuselage_image_listen(struct fuselage_image *image, fuselage_message *message, void *context);

/*
 * A runner to execute (`bundle runtime` prints the path of one) in place of the one that this library
 * carries and executes from memory: where that is forbidden (vm.memfd_noexec=2 gives EACCES). The
 * path is used later, and not copied.
 */
void fuselage_image_use_program(struct fuselage_image *image, const char *path);

/*
 * Makes a mount that is attached nowhere, and served. `type` is "loop", "fuse", or "auto" or NULL for
 * the first that works; `options` are the words of `bundle mount -o`, docs/mount.md, or NULL. Returns its
 * descriptor, which openat(2) takes too. The mount ends, and its server with it, when that is closed and it
 * is attached nowhere.
 *
 * For who has CAP_SYS_ADMIN in its user namespace. EBADMSG: the file holds no image, or a damaged one.
 * EINVAL: the type or a word is none. EACCES, EPERM and others: the machine refuses, as the text says.
 */
int fuselage_mount_detached(struct fuselage_image *image, const char *type, const char *options);

/*
 * Serves a file system that the caller has mounted: `device` is /dev/fuse, open, and stands in the options
 * of a mount with rootmode=40000, allow_other, default_permissions and max_read=1048576. It may have come
 * from fusermount3. Returns 0 when the files can be read. The server ends when the mount does. Without
 * CAP_SYS_ADMIN each file is shown as the caller's.
 */
int fuselage_mount_serve(struct fuselage_image *image, int device, const char *options);

/* Attaches a detached mount at `dir`, a directory, relative to `dirfd` or AT_FDCWD. Returns 0. */
int fuselage_mount_attach(int mount, int dirfd, const char *dir);

/*
 * The same in another mount namespace: `namespace_fd` is a pidfd of a process in it (pidfd_open(2), Linux 5.8)
 * or /proc/PID/ns/mnt, open. `dir` is an absolute path in it. Where the caller has no rights in it, it
 * takes those that it has in the user namespace of that. Returns 0.
 */
int fuselage_mount_attach_in(int mount, int namespace_fd, const char *dir);

/*
 * Hands a mount to whoever reads at the other end of a socket of AF_UNIX, in one message that is the
 * same as that of `fuselage --mount-fd`, docs/mount.md. Returns 0; the descriptor stays the caller's too.
 */
int fuselage_mount_send(int socket, int mount);
/*
 * Receives one, of fuselage_mount_send or of that program. Returns its descriptor. ECONNRESET: the other
 * end was closed. EPROTO: the message is none of these. Other errno: the one that was sent.
 */
int fuselage_mount_receive(int socket);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
