/* Has the n-th call that writes below a folder fail, once: in every process of a tree, C libraries and Git included.

   Compiled and preloaded (LD_PRELOAD) by tests/failing.py. FAILING_FOLDER is the folder, FAILING_PLAN a file of two
   numbers that all processes share: which call is to fail (0: none), and how many there have been. It sees calls of
   libc's functions below, and so what Python, SQLite, Git, Rust's and C++'s libraries write; not what libc's own
   streams (fprintf), a mapped file or a raw system call does. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static long *plan;
static const char *folder;

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("FAILING_PLAN");
    folder = getenv("FAILING_FOLDER");
    int opened = file && folder ? open(file, O_RDWR) : -1;
    if (opened < 0) return;
    void *shared = mmap(NULL, 2 * sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
    close(opened);
    if (shared != MAP_FAILED) plan = shared;
}

static int inside(const char *path) {
    return path && strncmp(path, folder, strlen(folder)) == 0;
}

static int fails_now(void) {
    return __atomic_add_fetch(&plan[1], 1, __ATOMIC_SEQ_CST) == plan[0];
}

static int path_fails(const char *path) {
    char whole[PATH_MAX];
    if (!plan || !plan[0] || !path) return 0;
    if (path[0] != '/') { /* as most of Git's are */
        if (!getcwd(whole, sizeof whole)) return 0;
        path = whole;
    }
    return inside(path) && fails_now();
}

static int file_fails(int file) {
    char link[64], path[PATH_MAX];
    if (!plan || !plan[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return inside(path) && fails_now();
}

#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))
#define FAILS(condition, number) if (condition) { errno = number; return -1; }

ssize_t write(int f, const void *b, size_t n) { FAILS(file_fails(f), ENOSPC) return REAL(write)(f, b, n); }
ssize_t pwrite(int f, const void *b, size_t n, off_t o) { FAILS(file_fails(f), ENOSPC) return REAL(pwrite)(f, b, n, o); }
ssize_t pwrite64(int f, const void *b, size_t n, off64_t o) { FAILS(file_fails(f), ENOSPC) return REAL(pwrite64)(f, b, n, o); }
ssize_t writev(int f, const struct iovec *v, int n) { FAILS(file_fails(f), ENOSPC) return REAL(writev)(f, v, n); }
ssize_t sendfile(int t, int f, off_t *o, size_t n) { FAILS(file_fails(t), ENOSPC) return ((ssize_t(*)(int, int, off_t *, size_t)) dlsym(RTLD_NEXT, "sendfile"))(t, f, o, n); }
ssize_t copy_file_range(int f, off64_t *a, int t, off64_t *b, size_t n, unsigned s) { FAILS(file_fails(t), ENOSPC) return REAL(copy_file_range)(f, a, t, b, n, s); }
int fsync(int f) { FAILS(file_fails(f), EIO) return REAL(fsync)(f); }
int fdatasync(int f) { FAILS(file_fails(f), EIO) return REAL(fdatasync)(f); }
int rename(const char *a, const char *b) { FAILS(path_fails(b), ENOSPC) return REAL(rename)(a, b); }
int link(const char *a, const char *b) { FAILS(path_fails(b), ENOSPC) return REAL(link)(a, b); }
int symlink(const char *a, const char *b) { FAILS(path_fails(b), ENOSPC) return REAL(symlink)(a, b); }
int mkdir(const char *a, mode_t m) { FAILS(path_fails(a), ENOSPC) return REAL(mkdir)(a, m); }

#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        FAILS((flags & O_CREAT) && path_fails(path), ENOSPC) \
        return REAL(name)(path, flags, mode); \
    }
OPENS(open)
OPENS(open64)
