/* What a power cut would leave of the files and names under one directory: see disk.c. */

#ifndef DISK_H
#define DISK_H

#include <dlfcn.h>
#include <limits.h>
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

#endif
