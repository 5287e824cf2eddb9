/* Which calls are ours and what becomes of each (faults.c), and what a power cut would leave (disk.c). */

#ifndef FAULTS_H
#define FAULTS_H

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>

/* The function of the C library behind one of ours. */
#define REAL(name) ((__typeof__(&name))real(#name))

enum { NOT_OURS = -1 };
enum change_kind { WRITE, RESIZE, CREATE, REMOVE, RENAME, MKDIR, RMDIR };

static inline void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

/* Nodes: files that are or were under the directory, by number. */
int disk_find(int fd);
int disk_pin(int fd);
int disk_pin_path(const char *path);
off_t disk_size(int node);

/* Tell of a change just before it is made. */
void disk_note_write(int node, off_t at, const char *bytes, size_t length);
void disk_note_resize(int node, off_t size);
void disk_note_name(enum change_kind kind, int node, const char *path, const char *to);

/* Tell that a file, or the names in a directory, were synchronised. */
void disk_note_sync(int node);
void disk_note_sync_names(const char *directory);

/* Leave on the disk only what was synchronised; with a seed, also a part of the rest. */
void disk_lose(unsigned seed);

enum verdict { PASS, FAIL, HALF };
enum need { NOTHING, ROOM };

/* Count a call, and tell what becomes of it: it is made, it fails with errno, or half of it is made. */
enum verdict judge(const char *call, const char *path, long bytes, enum need need);

/* The same for a message of "length" bytes, which may become fewer: it is sent, the connection breaks before it
 * (FAIL), or what is left of it is sent and then after_message called. */
enum verdict judge_message(const char *call, int fd, size_t *length);
void after_message(int fd);

/* Die at once, as the flavour asks. */
void die(void);

/* Say that a call cannot be followed, and end the process. */
void refuse(const char *call, const char *path);

/* The node of a file that is ours, or NOT_OURS. */
int find(int fd);
bool is_ours(const char *path);
bool is_our_socket(int fd);
const char *path_of(int fd, char *path);

/* Make a path absolute, and tell whether it is ours. */
bool resolve(int directory, const char *path, char *absolute);

/* One thread at a time until the end of the block. */
extern pthread_mutex_t one_at_a_time;
void let_go(pthread_mutex_t **held);
#define ALONE                                                                                                       \
    __attribute__((cleanup(let_go))) pthread_mutex_t *held = &one_at_a_time;                                        \
    pthread_mutex_lock(held)

#endif
