/* Break a process at the k-th call that changes a disk or talks to a server.
 *
 * Loaded with LD_PRELOAD and driven through faults_arm, faults_now and faults_disarm. It counts the
 * calls that change something under one directory and, if asked, the messages sent over sockets; calls
 * that change nothing (opening a file that exists) do not count. What happens at the k-th call:
 *
 *   TRACE    nothing; every counted call is reported
 *   KILL     the process dies before the call
 *   TORN     half of the bytes are written, and the process dies; a call that writes no bytes is done first
 *   EIO      the call fails; on a socket, the connection breaks before the message
 *   ENOSPC   the call fails, and so does all that needs room, until faults_disarm
 *   POWER    the process dies, and the disk holds what was synchronised, and nothing else
 *   RANDOM   as POWER, but seeded chance keeps a part of what was not synchronised
 *   REPLY    the message is sent, and the connection breaks before the reply; only for messages
 *
 * A call that changes files and is not followed here ends the process loudly, so that none is missed. One is
 * allowed: writing through a shared mapping of SQLite's "-shm", which is rebuilt after every crash. */

#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum flavour { TRACE, KILL, TORN, BROKEN, NO_SPACE, POWER, RANDOM, REPLY };

pthread_mutex_t one_at_a_time = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static char root[PATH_MAX];
static size_t root_length; /* 0: not armed */
static long target, count;
static enum flavour flavour;
static unsigned chance;
static bool with_sockets, is_full;
static int report;

static void say(const char *call, const char *path, long bytes) {
    char line[PATH_MAX + 100];
    int length = snprintf(line, sizeof line, "fault %s %s %ld\n", call, path, bytes);
    if (report >= 0 && REAL(write)(report, line, (size_t)length) != length)
        abort();
}

void die(void) {
    if (flavour == POWER || flavour == RANDOM)
        disk_lose(flavour == RANDOM ? chance : 0);
    kill(getpid(), SIGKILL);
    pause();
}

enum verdict judge(const char *call, const char *path, long bytes, enum need need) {
    bool is_target = ++count == target;
    if (is_target || flavour == TRACE)
        say(call, path, bytes);
    if (flavour == NO_SPACE && (is_target || (is_full && need == ROOM))) {
        is_full = true;
        errno = ENOSPC;
        return FAIL;
    }
    if (!is_target || flavour == TRACE)
        return PASS;
    if (flavour == BROKEN) {
        errno = EIO;
        return FAIL;
    }
    if (flavour != TORN)
        die();
    return HALF;
}

void refuse(const char *call, const char *path) {
    fprintf(stderr, "faults.c cannot follow %s of %s\n", call, path);
    abort();
}

enum verdict judge_message(const char *call, int fd, size_t *length) {
    bool loses_reply = flavour == REPLY;
    flavour = loses_reply ? BROKEN : flavour;
    enum verdict verdict = judge(call, "socket", (long)*length, NOTHING);
    flavour = loses_reply ? REPLY : flavour;
    if (verdict == HALF)
        *length /= 2;
    if (verdict != FAIL || loses_reply)
        return verdict == FAIL ? HALF : verdict;
    shutdown(fd, SHUT_RDWR);
    errno = ECONNRESET;
    return FAIL;
}

void after_message(int fd) {
    if (flavour == TORN)
        die();
    shutdown(fd, SHUT_RDWR);
}

void faults_arm(const char *directory, long k, int how, unsigned seed, int sockets, int report_to) {
    snprintf(root, sizeof root, "%s", directory);
    target = k, flavour = (enum flavour)how, chance = seed + 1, with_sockets = sockets, report = report_to;
    count = 0, is_full = false;
    root_length = strlen(root);
}

void faults_disarm(void) { root_length = 0; }

/* Die at once, as the flavour asks. */
void faults_now(void) {
    say("end", "-", 0);
    die();
}

/* ---- which calls are ours ---- */

bool is_ours(const char *path) {
    return root_length && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

const char *path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, fd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return path;
}

bool resolve(int directory, const char *path, char *absolute) {
    char base[PATH_MAX] = "";
    if (!root_length || !path)
        return false;
    const char *between = path[0] == '/' ? "" : "/";
    if (path[0] != '/')
        path_of(directory, base);
    return snprintf(absolute, PATH_MAX, "%s%s%s", base, between, path) < PATH_MAX && is_ours(absolute);
}

int find(int fd) {
    int before = errno;
    int node = root_length && fd != report ? disk_find(fd) : NOT_OURS;
    errno = before;
    return node;
}

bool is_our_socket(int fd) {
    struct stat status;
    return root_length && with_sockets && !fstat(fd, &status) && S_ISSOCK(status.st_mode);
}

void let_go(pthread_mutex_t **held) { pthread_mutex_unlock(*held); }
