/*
 * CHECKED: made with the sanitizers for memory or threads, whose library has the libc's functions that see each access.
 * Ours are left out then.
 */
#ifndef LIBC_CHECKED_H
#define LIBC_CHECKED_H

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CHECKED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CHECKED 1
#endif

#endif
