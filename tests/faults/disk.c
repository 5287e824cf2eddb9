/* A model of what is safe on the disk, so that a power cut can be played in a process that is about to die.
 *
 * Every file that is opened for writing or loses a name becomes a node: a descriptor of its own, which is
 * never closed (closing would drop SQLite's locks), and the bytes that it had when it was last synchronised.
 * Changes since then are kept in order. A power cut puts back the safe bytes, then the safe names. With a
 * seed, chance keeps some of the changes: of a file any sectors of 512 bytes, of a directory the first few,
 * as file systems keep their order.
 *
 * A name that was synchronised is safe only if its directory is: that of a directory made by mkdir has to be
 * synchronised in its own parent. */

#include "faults.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512

struct node {
    dev_t device;
    ino_t number;
    int fd;
    char *safe;
    off_t safe_size;
};

struct change {
    enum change_kind kind;
    bool safe;       /* synchronised since */
    bool lost;       /* of names: the power cut undoes it */
    int node;        /* of RENAME, the file that was replaced */
    off_t at;        /* of RESIZE, the new size */
    char *bytes;     /* of WRITE */
    size_t length;
    char *path, *to; /* of changes of names; "to" of RENAME */
};

static struct node *nodes;
static int node_count;
static struct change *changes;
static int change_count;
static uint64_t chance;

static void must(bool well) {
    if (!well)
        abort();
}

int disk_find(int fd) {
    struct stat status;
    if (fstat(fd, &status))
        return NOT_OURS;
    for (int at = 0; at < node_count; at++)
        if (nodes[at].device == status.st_dev && nodes[at].number == status.st_ino)
            return at;
    return NOT_OURS;
}

off_t disk_size(int node) {
    struct stat status;
    must(!fstat(nodes[node].fd, &status));
    return status.st_size;
}

static char *content(int node, off_t size) {
    char *bytes = malloc((size_t)size + 1);
    must(bytes && pread(nodes[node].fd, bytes, (size_t)size, 0) == size);
    return bytes;
}

void disk_note_sync(int node) {
    free(nodes[node].safe);
    nodes[node].safe_size = disk_size(node);
    nodes[node].safe = content(node, nodes[node].safe_size);
    for (int at = 0; at < change_count; at++)
        if (!changes[at].path && changes[at].node == node)
            changes[at].safe = true;
}

/* Follow an open file from now on; what it holds counts as safe. */
int disk_pin(int fd) {
    struct stat status;
    char link[64];
    int node = disk_find(fd);
    if (node != NOT_OURS || fstat(fd, &status) || !S_ISREG(status.st_mode))
        return node;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int own = REAL(open)(link, O_RDWR | O_CLOEXEC);
    nodes = realloc(nodes, sizeof *nodes * (size_t)(node_count + 1));
    must(own >= 0 && nodes);
    nodes[node_count++] = (struct node){status.st_dev, status.st_ino, own, NULL, 0};
    disk_note_sync(node_count - 1);
    return node_count - 1;
}

int disk_pin_path(const char *path) {
    int fd = REAL(open)(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? NOT_OURS : disk_pin(fd);
}

static void note(struct change change) {
    changes = realloc(changes, sizeof *changes * (size_t)(change_count + 1));
    must(changes);
    changes[change_count++] = change;
}

void disk_note_write(int node, off_t at, const char *bytes, size_t length) {
    char *copy = malloc(length + 1);
    must(copy);
    memcpy(copy, bytes, length);
    note((struct change){.kind = WRITE, .node = node, .at = at, .bytes = copy, .length = length});
}

void disk_note_resize(int node, off_t size) {
    note((struct change){.kind = RESIZE, .node = node, .at = size});
}

void disk_note_name(enum change_kind kind, int node, const char *path, const char *to) {
    note((struct change){.kind = kind, .node = node, .path = strdup(path), .to = to ? strdup(to) : NULL});
}

static bool is_in(const char *path, const char *directory) {
    size_t length = strlen(directory);
    return !strncmp(path, directory, length) && path[length] == '/' && !strchr(path + length + 1, '/');
}

void disk_note_sync_names(const char *directory) {
    for (int at = 0; at < change_count; at++)
        if (changes[at].path && is_in(changes[at].path, directory))
            changes[at].safe = true;
}

/* ---- the power cut ---- */

static bool heads(void) { /* xorshift64* */
    chance ^= chance >> 12;
    chance ^= chance << 25;
    chance ^= chance >> 27;
    return (chance * 2685821657736338717ULL) >> 63;
}

static void put(int fd, const char *bytes, size_t length, off_t at) {
    must(REAL(pwrite)(fd, bytes, length, at) == (ssize_t)length);
}

static void put_back(const struct node *node) {
    put(node->fd, node->safe, (size_t)node->safe_size, 0);
    must(!REAL(ftruncate)(node->fd, node->safe_size));
}

static void keep_sectors(const struct change *change) {
    for (size_t from = 0, to; from < change->length; from = to) {
        to = from + SECTOR - (size_t)(change->at + (off_t)from) % SECTOR;
        to = to < change->length ? to : change->length;
        if (heads())
            put(nodes[change->node].fd, change->bytes + from, to - from, change->at + (off_t)from);
    }
}

/* Give a file a name again. Its old number is lost, so this is a copy: its bytes are settled by now. */
static void make_file(const char *path, int node) {
    off_t size = disk_size(node);
    char *bytes = content(node, size);
    int fd = REAL(open)(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0);
    put(fd, bytes, (size_t)size, 0);
    free(bytes);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)status, (void)type, (void)place;
    return remove(path);
}

static void undo(const struct change *change) {
    switch (change->kind) {
    case CREATE: must(!REAL(unlink)(change->path)); break;
    case REMOVE: make_file(change->path, change->node); break;
    case MKDIR: must(!nftw(change->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS)); break;
    case RMDIR: must(!REAL(mkdir)(change->path, 0700)); break;
    case RENAME:
        must(!REAL(rename)(change->to, change->path));
        if (change->node != NOT_OURS)
            make_file(change->to, change->node);
        break;
    default: break;
    }
}

/* Whether a change of names is lost: by chance, or because an earlier one in its directory, or above, is. */
static bool is_lost(int at) {
    for (int earlier = 0; earlier < at; earlier++) {
        if (!changes[earlier].lost)
            continue;
        size_t length = (size_t)(strrchr(changes[earlier].path, '/') - changes[earlier].path) + 1;
        if (!strncmp(changes[at].path, changes[earlier].path, length))
            return true;
    }
    return heads();
}

void disk_lose(unsigned seed) {
    chance = 0x9E3779B97F4A7C15ULL * seed;
    for (int node = 0; node < node_count; node++)
        put_back(&nodes[node]);
    for (int at = 0; at < change_count; at++) {
        struct change *change = &changes[at];
        if (change->safe)
            continue;
        if (change->path)
            change->lost = !seed || is_lost(at);
        else if (seed && change->kind == WRITE)
            keep_sectors(change);
        else if (seed && heads())
            must(!REAL(ftruncate)(nodes[change->node].fd, change->at));
    }
    for (int at = change_count; at--;)
        if (changes[at].lost)
            undo(&changes[at]);
}
