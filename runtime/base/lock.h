/* Waiting for a lock of another process, with words and with an end. */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

/*
 * flock(fd, operation), LOCK_EX or LOCK_SH, for as long as whoever has the lock may be at work. Returns 0, or -1 and
 * errno: ETIMEDOUT when that process is stopped, or after ten minutes. A line on stderr names the file and the
 * process: after two seconds, or when it is stopped.
 */
int lock_wait(int fd, int operation);

#endif
