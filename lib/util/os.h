/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What differs between operating systems; the files os_linux*.c are the only ones that know. All fallible calls return 0 or a negative tmon_error. */
#ifndef TRAINMON_UTIL_OS_H
#define TRAINMON_UTIL_OS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Mapped files. Created O_EXCL|O_NOFOLLOW|O_CLOEXEC 0600 with space reserved; opened O_NOFOLLOW, regular file of our uid only. */
typedef struct tmon_mapping {
  uint8_t *data;
  size_t size;
  uint64_t device;
  uint64_t inode;
  int fd; /* kept to look at the size; means nothing while data is NULL */
} tmon_mapping;
int tmon_map_create(tmon_mapping *out, const char *path, size_t size); /* MADV_DONTFORK is not set: a child must be able to read its parent's words */
int tmon_map_open(tmon_mapping *out, const char *path, bool writable, size_t minimum, size_t maximum);
void tmon_map_close(tmon_mapping *mapping);
bool tmon_map_is_whole(const tmon_mapping *mapping); /* false: the file was truncated, touching the mapping may raise SIGBUS */
int tmon_file_identity(const char *path, uint64_t *device, uint64_t *inode);

/* Exclusive OFD locks, each on a descriptor of its own. `created` files stay. */
typedef struct tmon_lock {
  int fd;
} tmon_lock;                                                        /* fd -1: not held */
int tmon_lock_open(tmon_lock *lock, const char *path, bool create); /* opens only; mode 0666 & ~umask */
int tmon_lock_acquire(tmon_lock *lock, int64_t timeout_us);         /* TMON_EBUSY after the time; 0: one try */
int tmon_lock_is_held(const tmon_lock *lock, bool *held);           /* by anybody else; asks only, so that two who ask never see one another */
void tmon_lock_release(tmon_lock *lock);                            /* unlocks, keeps the descriptor */
void tmon_lock_close(tmon_lock *lock);                              /* plain close */

/* Identity of processes. */
typedef struct tmon_process {
  int64_t pid;
  int64_t start_ticks; /* start time of the process since boot; tells re-used pids apart */
  char boot_id[37];
  char host[65];
} tmon_process;
int tmon_process_self(tmon_process *out);
int tmon_process_look(tmon_process *out, int64_t pid); /* of this host; TMON_ENOTFOUND: there is none */
int64_t tmon_process_id(void);                         /* cached; right in forked children too */

/* Wake-up of one waiting thread. tmon_wake_signal is async-signal-safe and costs one system call. */
typedef struct tmon_wake {
  int fd;
} tmon_wake;
int tmon_wake_open(tmon_wake *wake);
void tmon_wake_signal(tmon_wake *wake);
void tmon_wake_wait(tmon_wake *wake, int64_t timeout_us);
void tmon_wake_close(tmon_wake *wake);

/* Threads. The new thread has all signals blocked. */
typedef struct tmon_thread tmon_thread;
int tmon_thread_start(tmon_thread **out, const char *name, void (*body)(void *argument), void *argument);
bool tmon_thread_join(tmon_thread *thread, int64_t timeout_us); /* true: ended and freed; false: still runs; timeout < 0 waits for ever */
void tmon_thread_leave(tmon_thread *thread);                    /* lets it run on unjoined; the handle is freed when it ends */
void tmon_thread_forget(tmon_thread *thread);                   /* in a forked child: frees memory only */
typedef struct tmon_mutex tmon_mutex;
int tmon_mutex_make(tmon_mutex **out);
void tmon_mutex_lock(tmon_mutex *mutex);
bool tmon_mutex_try_lock_for(tmon_mutex *mutex, int64_t timeout_us);
void tmon_mutex_unlock(tmon_mutex *mutex);
void tmon_mutex_free(tmon_mutex *mutex);

/* Calls `child` in every forked child, after the cached pid is right. At most 16 registrations, made once each. */
int tmon_fork_register(void (*child)(void));

bool tmon_folder_is_network(const char *path);    /* statfs: NFS, SMB, CIFS, Ceph, Lustre, GPFS, BeeGFS, 9p, FUSE of unknown kind */
int64_t tmon_folder_free_bytes(const char *path); /* -1: not known */
#endif
