#include "tests/harness/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DIRS 64
#define MAX_TEXTS 4096

/* What this program owns until it exits. */
static char *dirs[MAX_DIRS];
static size_t dir_count;
static size_t inherited; /* how many of them belong to the process that forked us */
static char *texts[MAX_TEXTS];
static size_t text_count;
static pid_t owner;

static void give_up(const char *what, const char *path)
{
    fprintf(stderr, "tmpdir: cannot %s %s (errno %d)\n", what, path, errno);
    abort();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

bool tmpdir_remove(const char *path)
{
    return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT;
}

static void remove_all(void)
{
    if (getpid() != owner)
        return;
    for (size_t i = 0; i < dir_count; i++) {
        if (i >= inherited)
            tmpdir_remove(dirs[i]);
        free(dirs[i]);
    }
    for (size_t i = 0; i < text_count; i++)
        free(texts[i]);
    dir_count = text_count = 0;
}

static void own_until_exit(void)
{
    if (owner != getpid()) {
        inherited = dir_count;
        owner = getpid();
        atexit(remove_all);
    }
}

const char *tmpdir_new(void)
{
    const char *base = getenv("TMPDIR");
    char *path = NULL;
    own_until_exit();
    if (dir_count == MAX_DIRS ||
        asprintf(&path, "%s/rbc-test-XXXXXX", base && *base ? base : "/tmp") < 0 || !mkdtemp(path))
        give_up("make", path ? path : "a directory");
    dirs[dir_count++] = path;
    return path;
}

const char *tmpdir_path(const char *dir, const char *name)
{
    char *path = NULL;
    own_until_exit();
    if (asprintf(&path, "%s/%s", dir, name) < 0)
        give_up("name", name);
    for (size_t i = text_count; i > 0; i--) { /* a test that waits asks for one again and again */
        if (strcmp(texts[i - 1], path) == 0) {
            free(path);
            return texts[i - 1];
        }
    }
    if (text_count == MAX_TEXTS)
        give_up("name", name);
    texts[text_count++] = path;
    return path;
}

void tmpdir_write(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "we");
    if (!f || fwrite(data, 1, len, f) != len || fclose(f) != 0)
        give_up("write", path);
}

char *tmpdir_read(const char *path, size_t *len)
{
    FILE *f = fopen(path, "re");
    char *data = NULL;
    size_t used = 0, size = 0;
    if (!f)
        return NULL;
    for (;;) {
        if (used + 1 >= size) {
            size = size ? size * 2 : 8192;
            char *bigger = realloc(data, size);
            if (!bigger)
                give_up("hold", path);
            data = bigger;
        }
        size_t n = fread(data + used, 1, size - used - 1, f);
        if (n == 0)
            break;
        used += n;
    }
    fclose(f);
    data[used] = '\0';
    if (len)
        *len = used;
    return data;
}
