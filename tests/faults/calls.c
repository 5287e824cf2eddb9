/* The calls of the C library that change files or send messages, each judged before it is made. */

#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- bytes ---- */

/* Write to a file that is ours; "at" is -1 for the place where the descriptor stands. */
static ssize_t put(const char *call, int fd, int node, const void *bytes, size_t length, off_t at) {
    char path[PATH_MAX];
    bool appends = fcntl(fd, F_GETFL) & O_APPEND;
    off_t start = at >= 0 ? at : appends ? disk_size(node) : lseek(fd, 0, SEEK_CUR);
    bool grows = start + (off_t)length > disk_size(node);
    enum verdict verdict = judge(call, path_of(fd, path), (long)length, grows ? ROOM : NOTHING);
    if (verdict == FAIL)
        return -1;
    if (verdict == HALF)
        length /= 2;
    disk_note_write(node, start, bytes, length);
    ssize_t written = at < 0 ? REAL(write)(fd, bytes, length) : REAL(pwrite)(fd, bytes, length, at);
    if (verdict == HALF)
        die();
    return written;
}

/* Send a message; "sending" sends "length" bytes. */
#define MESSAGE(call, fd, length, sending)                                                                          \
    do {                                                                                                            \
        ALONE;                                                                                                      \
        enum verdict verdict = judge_message(call, fd, &length);                                                    \
        ssize_t sent = verdict == FAIL ? -1 : sending;                                                              \
        if (verdict == HALF)                                                                                        \
            after_message(fd);                                                                                      \
        return sent;                                                                                                \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t length) {
    int node = find(fd);
    if (node == NOT_OURS && !is_our_socket(fd))
        return REAL(write)(fd, bytes, length);
    if (node == NOT_OURS)
        MESSAGE("write", fd, length, REAL(write)(fd, bytes, length));
    ALONE;
    return put("write", fd, node, bytes, length, -1);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    if (!is_our_socket(fd))
        return REAL(send)(fd, bytes, length, flags);
    MESSAGE("send", fd, length, REAL(send)(fd, bytes, length, flags));
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    int node = find(fd);
    if (node == NOT_OURS)
        return REAL(pwrite)(fd, bytes, length, at);
    ALONE;
    return put("pwrite", fd, node, bytes, length, at);
}

int ftruncate(int fd, off_t size) {
    char path[PATH_MAX];
    int node = find(fd);
    if (node == NOT_OURS)
        return REAL(ftruncate)(fd, size);
    ALONE;
    enum verdict verdict = judge("ftruncate", path_of(fd, path), size, size > disk_size(node) ? ROOM : NOTHING);
    if (verdict == FAIL)
        return -1;
    disk_note_resize(node, size);
    int result = REAL(ftruncate)(fd, size);
    if (verdict == HALF)
        die();
    return result;
}

/* ---- synchronisation ---- */

static int synchronise(const char *call, int fd, int (*synchronising)(int)) {
    char path[PATH_MAX];
    struct stat status;
    int node = find(fd);
    bool is_directory = !fstat(fd, &status) && S_ISDIR(status.st_mode) && is_ours(path_of(fd, path));
    if (node == NOT_OURS && !is_directory)
        return synchronising(fd);
    ALONE;
    enum verdict verdict = judge(call, path_of(fd, path), 0, NOTHING);
    int result = verdict == FAIL ? -1 : synchronising(fd);
    if (result)
        return result;
    if (is_directory)
        disk_note_sync_names(path);
    else
        disk_note_sync(node);
    if (verdict == HALF)
        die();
    return 0;
}

int fsync(int fd) { return synchronise("fsync", fd, REAL(fsync)); }

int fdatasync(int fd) { return synchronise("fdatasync", fd, REAL(fdatasync)); }

/* ---- names ---- */

static int open_ours(int directory, const char *given, const char *path, int flags, mode_t mode) {
    ALONE;
    struct stat status;
    bool nameless = (flags & O_TMPFILE) == O_TMPFILE, exists = !nameless && !lstat(path, &status);
    bool makes = nameless || (!exists && flags & O_CREAT), cuts = exists && flags & O_TRUNC && status.st_size > 0;
    enum verdict verdict = makes || cuts ? judge("open", path, 0, makes ? ROOM : NOTHING) : PASS;
    if (verdict == FAIL)
        return -1;
    if (cuts)
        disk_note_resize(disk_pin_path(path), 0);
    int fd = REAL(openat)(directory, given, flags, mode);
    if (fd >= 0) {
        int node = disk_pin(fd);
        if (makes && !nameless)
            disk_note_name(CREATE, node, path, NULL);
    }
    if (verdict == HALF)
        die();
    return fd;
}

int openat(int directory, const char *given, int flags, ...) {
    char path[PATH_MAX];
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if ((flags & O_ACCMODE) == O_RDONLY && !(flags & (O_CREAT | O_TRUNC)))
        return REAL(openat)(directory, given, flags, mode);
    if (!resolve(directory, given, path))
        return REAL(openat)(directory, given, flags, mode);
    return open_ours(directory, given, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return openat(AT_FDCWD, path, flags, mode);
}

int creat(const char *path, mode_t mode) { return openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

/* Change one name (or "to", if not NULL, from "path"), and note it if that went well. */
#define NAME(call, kind, need, node, path, to, changing)                                                            \
    do {                                                                                                            \
        ALONE;                                                                                                      \
        enum verdict verdict = judge(call, path, 0, need);                                                          \
        if (verdict == FAIL)                                                                                        \
            return -1;                                                                                              \
        int lost = node, result = changing;                                                                         \
        if (!result)                                                                                                \
            disk_note_name(kind, lost, path, to);                                                                   \
        if (verdict == HALF)                                                                                        \
            die();                                                                                                  \
        return result;                                                                                              \
    } while (0)

int unlinkat(int directory, const char *given, int flags) {
    char path[PATH_MAX];
    if (!resolve(directory, given, path) || faccessat(directory, given, F_OK, AT_SYMLINK_NOFOLLOW))
        return REAL(unlinkat)(directory, given, flags);
    if (flags & AT_REMOVEDIR)
        NAME("rmdir", RMDIR, NOTHING, NOT_OURS, path, NULL, REAL(unlinkat)(directory, given, flags));
    NAME("unlink", REMOVE, NOTHING, disk_pin_path(path), path, NULL, REAL(unlinkat)(directory, given, flags));
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int directory, const char *given, mode_t mode) {
    char path[PATH_MAX];
    if (!resolve(directory, given, path) || !faccessat(directory, given, F_OK, AT_SYMLINK_NOFOLLOW))
        return REAL(mkdirat)(directory, given, mode);
    NAME("mkdir", MKDIR, ROOM, NOT_OURS, path, NULL, REAL(mkdirat)(directory, given, mode));
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int renameat(int from, const char *old, int to, const char *new) {
    char path[PATH_MAX], target_path[PATH_MAX];
    bool leaves = resolve(from, old, path), arrives = resolve(to, new, target_path);
    if (!leaves && !arrives)
        return REAL(renameat)(from, old, to, new);
    if (!leaves || !arrives || strrchr(path, '/') - path != strrchr(target_path, '/') - target_path)
        refuse("rename between directories", new);
    NAME("rename", RENAME, NOTHING, disk_pin_path(target_path), path, target_path, REAL(renameat)(from, old, to, new));
}

int rename(const char *old, const char *new) { return renameat(AT_FDCWD, old, AT_FDCWD, new); }

/* ---- calls that are refused, or end the process, because they are not followed ---- */

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t at) {
    char path[PATH_MAX];
    bool writes = (flags & MAP_SHARED) && (protection & PROT_WRITE) && fd >= 0;
    if (writes && find(fd) != NOT_OURS && !strstr(path_of(fd, path), "-shm"))
        refuse("mmap", path);
    return REAL(mmap)(address, length, protection, flags, fd, at);
}

#define REFUSED(result, name, is_ours_now, what, parameters, ...)                                                   \
    result name parameters {                                                                                        \
        if (is_ours_now)                                                                                            \
            refuse(#name, what);                                                                                    \
        return REAL(name)(__VA_ARGS__);                                                                             \
    }
#define OPEN_HERE(fd) (find(fd) != NOT_OURS || is_our_socket(fd))
#define NAMED_HERE(directory, given) resolve(directory, given, (char[PATH_MAX]){0})

REFUSED(FILE *, fopen, strpbrk(mode, "wa+") && NAMED_HERE(AT_FDCWD, given), given,
        (const char *given, const char *mode), given, mode)
REFUSED(int, truncate, NAMED_HERE(AT_FDCWD, given), given, (const char *given, off_t size), given, size)
REFUSED(int, link, NAMED_HERE(AT_FDCWD, new), new, (const char *old, const char *new), old, new)
REFUSED(int, linkat, NAMED_HERE(to, new), new, (int from, const char *old, int to, const char *new, int flags),
        from, old, to, new, flags)
REFUSED(ssize_t, writev, OPEN_HERE(fd), "a file or socket", (int fd, const struct iovec *parts, int n), fd, parts, n)
REFUSED(ssize_t, pwritev, OPEN_HERE(fd), "a file", (int fd, const struct iovec *parts, int n, off_t at), fd, parts, n,
        at)
REFUSED(ssize_t, sendmsg, OPEN_HERE(fd), "a socket", (int fd, const struct msghdr *message, int flags), fd, message,
        flags)
REFUSED(ssize_t, sendto, OPEN_HERE(fd), "a socket",
        (int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t size), fd, bytes,
        length, flags, to, size)

ssize_t sendfile(int to, int from, off_t *at, size_t length) { /* callers fall back on read and write */
    if (find(to) == NOT_OURS)
        return REAL(sendfile)(to, from, at, length);
    errno = EINVAL;
    return -1;
}

int posix_fallocate(int fd, off_t at, off_t length) {
    return find(fd) == NOT_OURS ? REAL(posix_fallocate)(fd, at, length) : EINVAL;
}

/* ---- the same by their 64-bit names ---- */

#define ALSO(name, plain) extern __typeof__(plain) name __attribute__((alias(#plain)))

ALSO(open64, open);
ALSO(openat64, openat);
ALSO(pwrite64, pwrite);
ALSO(pwritev64, pwritev);
ALSO(ftruncate64, ftruncate);
ALSO(creat64, creat);
ALSO(mmap64, mmap);
ALSO(fopen64, fopen);
ALSO(truncate64, truncate);
ALSO(sendfile64, sendfile);
ALSO(posix_fallocate64, posix_fallocate);
