// SPDX-License-Identifier: Apache-2.0
/* What udax-run.c stands on: system calls, the table files of /proc, and --explain. Nothing here allocates or sets errno. */
#ifndef UDAX_RUN_H
#define UDAX_RUN_H
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define EXPORT __attribute__((visibility("default")))
#define ATTRIBUTE "user.famfs.memory"
#define MAX_EXTENTS 64
#define MEMORIES 16
/* All of a mapping's work fits on the smallest stack of a thread (16 KiB) beside its caller. */
#define TEXT_BYTES 4608
#define LIMIT (1ull << 60)
#define HUGE_PAGE (2ull << 20)
#define LARGEST_PAGE (1ull << 30)
#define USE_LOCK_BASE (1ull << 61)
#define STORES_LOCK (1ull << 54)

#define F_OFD_SETLK_ 37
#define SEEK_HOLE_ 4
#define MADV_POPULATE_READ_ 22
#define STATX_MNT_ID_UNIQUE_ 0x4000u
#define MAP_FIXED_NOREPLACE_ 0x100000
#ifdef MAP_32BIT
#define MAP_32BIT_ MAP_32BIT
#else
#define MAP_32BIT_ 0
#endif
#define FIXED_FLAGS (MAP_FIXED | MAP_FIXED_NOREPLACE_)
/* Flags that choose the address of a whole mapping, and flags that mean the same for the memory as for the file. */
#define PLACING_FLAGS (FIXED_FLAGS | MAP_32BIT_)
#define KNOWN_FLAGS \
    (PLACING_FLAGS | MAP_POPULATE | MAP_LOCKED | MAP_NORESERVE | MAP_NONBLOCK | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_STACK)

#ifdef __x86_64__
static inline long sys(long n, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return result;
}
#elif defined __aarch64__
static inline long sys(long n, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#else
#error "udax-run.c is written for x86-64 and arm64"
#endif

/* In every libc; dlsym may be missing in old ones, the preloads before us are then passed over. */
int *__errno_location(void);
char *getenv(const char *);
unsigned long getauxval(unsigned long);
void *dlsym(void *, const char *) __attribute__((weak));

static inline int *error_place(void) { return __errno_location(); }

static inline long answer(long result)
{
    if (result >= 0 || result < -4095) return result;
    *error_place() = (int)-result;
    return -1;
}

static inline uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t round_up(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

/* ---- who else has these calls: libc, or a library that was preloaded behind us ---- */

struct next {
    void *(*mmap)(void *, size_t, int, int, int, off_t);
    int (*munmap)(void *, size_t);
    int (*mprotect)(void *, size_t, int);
    int (*msync)(void *, size_t, int);
    void *(*mremap)(void *, size_t, size_t, int, ...);
    int (*madvise)(void *, size_t, int);
};

static inline void find_next(struct next *next)
{
    static const char *const names[] = { "mmap", "munmap", "mprotect", "msync", "mremap", "madvise" };
    void **const places[] = { (void **)&next->mmap,  (void **)&next->munmap, (void **)&next->mprotect,
                              (void **)&next->msync, (void **)&next->mremap, (void **)&next->madvise };
    for (int i = 0; dlsym && i < 6; i++) *places[i] = dlsym((void *)-1l, names[i]);
}

static inline uint64_t host_page(void)
{
    uint64_t size = getauxval(6);
    return size ? size : 4096;
}

/* ---- files ---- */

/* struct statx, whose size and offsets are the kernel's for good. */
struct facts {
    uint32_t mask, block_bytes;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, spare;
    uint64_t inode, size, blocks, attributes_mask;
    uint64_t times[8];
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mount;
    uint64_t more[13];
};
_Static_assert(sizeof(struct facts) == 256 && offsetof(struct facts, dev_major) == 136 && offsetof(struct facts, mount) == 144, "statx");

static inline bool facts_of(int fd, struct facts *facts)
{
    return sys(SYS_statx, fd, (long)"", 0x1000 /* AT_EMPTY_PATH */, 0x7ff | STATX_MNT_ID_UNIQUE_, (long)facts, 0) == 0;
}
static inline bool is_regular(const struct facts *facts) { return (facts->mode & 0170000) == 0100000; }
static inline bool is_device(const struct facts *facts) { return (facts->mode & 0170000) == 0020000; }

static inline uint64_t file_system_of(int fd)
{
    uint64_t statfs[32];
    return sys(SYS_fstatfs, fd, (long)statfs, 0, 0, 0, 0) == 0 ? statfs[0] : 0;
}
static inline bool is_noexec(int fd)
{
    uint64_t statfs[32];
    return sys(SYS_fstatfs, fd, (long)statfs, 0, 0, 0, 0) == 0 && statfs[10] & 8;
}
static inline bool is_fuse(int fd) { return file_system_of(fd) == 0x65735546; }
/* tmpfs, ramfs, hugetlbfs: loads from holes need pages. */
static inline bool is_memory_file(int fd)
{
    uint64_t type = file_system_of(fd);
    return type == 0x01021994 || type == 0x858458f6 || type == 0x958458f6;
}

/* Reads bytes of a device, which has no read(2). Failed memory is an error here, where a load would be a SIGBUS. */
static inline long peek(int fd, uint64_t granule, uint64_t where, void *bytes, uint64_t length)
{
    long at = sys(SYS_mmap, 0, (long)granule, PROT_READ, MAP_SHARED, fd, (long)(where - where % granule));
    if (at < 0) return at;
    uint64_t to[2] = { (uint64_t)bytes, length }, from[2] = { (uint64_t)at + where % granule, length };
    long got = sys(SYS_process_vm_readv, sys(SYS_getpid, 0, 0, 0, 0, 0, 0), (long)to, 1, (long)from, 1, 0);
    sys(SYS_munmap, at, (long)granule, 0, 0, 0, 0);
    return got;
}

/* ---- table files of /proc, line by line; a line that is too long is cut ---- */

struct lines {
    int fd;
    unsigned used, filled;
    char buffer[512], line[1024];
};

static inline bool open_lines(struct lines *lines, const char *path)
{
    lines->used = lines->filled = 0;
    lines->fd = (int)sys(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
    return lines->fd >= 0;
}
static inline void close_lines(struct lines *lines) { sys(SYS_close, lines->fd, 0, 0, 0, 0, 0); }

static inline const char *next_line(struct lines *lines)
{
    for (unsigned length = 0;;) {
        if (lines->used == lines->filled) {
            long got = sys(SYS_read, lines->fd, (long)lines->buffer, sizeof lines->buffer, 0, 0, 0);
            if (got <= 0) return NULL;
            lines->used = 0;
            lines->filled = (unsigned)got;
        }
        char next = lines->buffer[lines->used++];
        if (next != '\n') {
            if (length < sizeof lines->line - 1) lines->line[length++] = next;
            continue;
        }
        lines->line[length] = '\0';
        return lines->line;
    }
}

/* The text behind the first `what`, or NULL. */
static inline const char *after(const char *text, const char *what)
{
    for (; *text; text++) {
        unsigned i = 0;
        while (what[i] && text[i] == what[i]) i++;
        if (!what[i]) return text + i;
    }
    return NULL;
}

static inline bool hexadecimal(const char **at, uint64_t *value)
{
    const char *from = *at;
    for (*value = 0;; ++*at) {
        char c = **at;
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) break;
        *value = *value * 16 + (uint64_t)digit;
    }
    if (*at == from) return false;
    if (**at) ++*at; /* the separator */
    return true;
}

enum trust { FOREIGN, OTHERS, TRUSTED };

static inline const char *error_name(int error)
{
    switch (error) {
    case EACCES: return "EACCES";
    case EAGAIN: return "EAGAIN";
    case EEXIST: return "EEXIST";
    case EINVAL: return "EINVAL";
    case EIO: return "EIO: some of its memory has failed";
    case EMFILE: return "EMFILE: no descriptor is free";
    case ENODATA: return "the mount names no memory";
    case ENODEV: return "ENODEV";
    case ENOENT: return "the path of the memory leads nowhere here";
    case ENOMEM: return "ENOMEM: too many mappings, or too large";
    case ENOTCONN: case ECONNABORTED: return "the mount is dead";
    case EOPNOTSUPP: return "the mount has no attributes";
    case ENXIO: case ESTALE: return "the device is gone, or was formatted anew";
    case EPERM: return "EPERM";
    case ERANGE: return "it lies in too many pieces to say";
    default: return "an error";
    }
}

/* ---- --explain ---- */

/* Where to write: a path, or empty for standard error, as long as that is the file which it was at the start. */
static char explain_path[1024];
static bool explain_on;
static uint64_t explain_inode;

static inline void start_explaining(void)
{
    const char *to = getenv("UDAX_RUN_EXPLAIN");
    struct facts facts;
    unsigned i = 0;
    if (!to || !*to) return;
    if (to[0] != '-' || to[1]) for (; to[i] && i < sizeof explain_path - 1; i++) explain_path[i] = to[i];
    explain_path[i] = '\0';
    explain_inode = facts_of(2, &facts) ? facts.inode : 0;
    explain_on = true;
}
static inline bool explains(void) { return explain_on; }

struct text {
    unsigned length;
    char bytes[768];
};
static inline void put(struct text *text, const char *what)
{
    /* Names of files reach a terminal: no control characters. */
    for (; *what && text->length < sizeof text->bytes - 2; what++)
        text->bytes[text->length++] = (unsigned char)*what < ' ' || *what == 127 ? '?' : *what;
}
static inline void put_number(struct text *text, uint64_t value, unsigned base)
{
    char digits[24];
    unsigned at = sizeof digits - 1;
    digits[at] = '\0';
    do digits[--at] = "0123456789abcdef"[value % base];
    while (value /= base);
    put(text, digits + at);
}

static __attribute__((noinline)) void explain(int fd, uint64_t offset, uint64_t length, int prot, int flags, long mapped, uint64_t pieces, const char *why)
{
    struct text text = { 0 }, link = { 0 };
    char name[384];
    put(&link, "/proc/self/fd/");
    put_number(&link, (uint64_t)fd, 10);
    link.bytes[link.length] = '\0';
    long named = sys(SYS_readlinkat, AT_FDCWD, (long)link.bytes, (long)name, sizeof name - 1, 0, 0);
    name[named > 0 ? named : 0] = '\0';
    put(&text, "udax run: pid ");
    put_number(&text, (uint64_t)sys(SYS_getpid, 0, 0, 0, 0, 0, 0), 10);
    put(&text, ": ");
    put(&text, name);
    put(&text, ": ");
    put_number(&text, length, 10);
    put(&text, " bytes at ");
    put_number(&text, offset, 10);
    put(&text, (flags & 0xf) == MAP_PRIVATE ? ", private " : ", shared ");
    put(&text, prot & PROT_READ ? "r" : "-");
    put(&text, prot & PROT_WRITE ? "w" : "-");
    put(&text, why ? ": the old way: " : ": the memory itself, ");
    if (why) put(&text, why);
    else {
        put_number(&text, pieces, 10);
        put(&text, pieces == 1 ? " piece, at 0x" : " pieces, at 0x");
        put_number(&text, (uint64_t)mapped, 16);
    }
    text.bytes[text.length++] = '\n';
    if (explain_path[0]) {
        int to = (int)sys(SYS_openat, AT_FDCWD, (long)explain_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600, 0, 0);
        if (to < 0) return;
        sys(SYS_write, to, (long)text.bytes, text.length, 0, 0, 0);
        sys(SYS_close, to, 0, 0, 0, 0, 0);
        return;
    }
    struct facts facts;
    if (facts_of(2, &facts) && facts.inode == explain_inode) sys(SYS_write, 2, (long)text.bytes, text.length, 0, 0, 0);
}
#endif
