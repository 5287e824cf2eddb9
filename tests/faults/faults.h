/* Which calls are ours, and what becomes of each: see faults.c. */

#ifndef FAULTS_H
#define FAULTS_H

#include "disk.h"

#include <pthread.h>

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
