// SPDX-License-Identifier: Apache-2.0
/*
 * The library that `udax run` preloads: mmap(2) of a file on a udax mount becomes a mapping of the memory that holds the file.
 *
 * The mount says where that is, in the attribute user.famfs.memory. Whatever is not certain goes the old way: the call is then
 * passed on as it came. native/README.md explains the rules, the trust and how this is built.
 *
 * Invariants:
 * - A mapping shows bytes of its own file and no others. Behind the end of the file it behaves as the file itself does.
 * - It can do no more than a mapping of the file could: the memory is opened as the file was.
 * - As long as it lives it has a shared lock on the bytes that it maps, as every user of the memory (src/machine/use-lock.ts). The
 *   lock belongs to the open file, and the mapping keeps that: so it needs no descriptor, survives fork, and ends with the mapping.
 * - No lock, no allocation, no state but three words: threads, forks and signal handlers may call at any time. errno is set only by
 *   calls that fail.
 * System calls are made directly, so the library needs no libc of its own and one binary serves glibc and musl.
 */
#define _GNU_SOURCE
#include "udax-run.h"

static struct next next;
static _Atomic uint64_t trusted_mount;
/* Inodes of the memory that this process has mapped, and whether any of it has pages larger than the host's. */
static _Atomic uint64_t memory_inodes[MEMORIES];
static _Atomic bool has_large_pages;
static uint64_t page = 4096;

/* ---- what the mount says ---- */

struct memory {
    char kind; /* 'f' a file, 'c' a dax device, 'p' one that keeps its bytes without power */
    uint64_t major, minor, inode, granule, size, chunk, extents;
    struct extent { uint64_t offset, length; } extent[MAX_EXTENTS];
    const char *path;
};

static bool number(const char **at, uint64_t *value)
{
    const char *from = *at;
    uint64_t sum = 0;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        if (sum > UINT64_MAX / 16) return false;
        sum = sum * 10 + (uint64_t)(**at - '0');
    }
    *value = sum;
    if (*at == from) return false;
    if (**at) ++*at; /* the separator */
    return true;
}

/* `1 KIND MAJOR MINOR INODE GRANULE SIZE CHUNK EXTENTS`, offset and length of each extent, the path; one separator behind each. */
static bool parse(const char *text, struct memory *m)
{
    uint64_t version;
    if (!number(&text, &version) || version != 1) return false;
    m->kind = *text++;
    if (m->kind == '\0' || *text++ != ' ') return false;
    uint64_t *const fields[] = { &m->major, &m->minor, &m->inode, &m->granule, &m->size, &m->chunk, &m->extents };
    for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++)
        if (!number(&text, fields[i])) return false;
    if (m->extents == 0 || m->extents > MAX_EXTENTS || m->granule < page || m->granule % page || m->chunk % m->granule) return false;
    for (uint64_t i = 0; i < m->extents; i++) {
        struct extent *e = &m->extent[i];
        if (!number(&text, &e->offset) || !number(&text, &e->length) || e->offset > LIMIT || e->length > LIMIT) return false;
    }
    m->path = text;
    return *text == '/' && m->size > 0 && m->size < LIMIT;
}

/* Finds where the byte at `offset` of the file lies, and how many follow it there; 0 when the extents do not have it. */
static uint64_t locate(const struct memory *m, uint64_t offset, uint64_t *where)
{
    if (m->chunk) {
        uint64_t index = offset / m->chunk, within = offset % m->chunk;
        const struct extent *strip = &m->extent[index % m->extents];
        uint64_t in_strip = index / m->extents * m->chunk + within;
        if (in_strip >= strip->length) return 0;
        *where = strip->offset + in_strip;
        return least(m->chunk - within, strip->length - in_strip);
    }
    for (uint64_t i = 0; i < m->extents; offset -= m->extent[i++].length)
        if (offset < m->extent[i].length) {
            *where = m->extent[i].offset + offset;
            return m->extent[i].length - offset;
        }
    return 0;
}

/* As locate(), and joins what continues in the memory. Every piece but the last must be whole granules. */
static uint64_t run_at(const struct memory *m, uint64_t offset, uint64_t end, uint64_t *where)
{
    uint64_t length = 0, at;
    while (offset + length < end) {
        uint64_t more = locate(m, offset + length, &at);
        if (more == 0 || at % m->granule) return 0;
        if (length == 0) *where = at;
        else if (at != *where + length) break;
        if (more % m->granule && offset + length + more < end) return 0;
        length += more;
    }
    return least(length, end - offset);
}

/* ---- whom to believe ---- */

/* Users of other namespaces are shown as 65534. Only where all users are shown as themselves is that a user. */
static bool is_whole_namespace(void)
{
    struct lines lines;
    uint64_t range[3] = { 1, 1, 1 };
    if (!open_lines(&lines, "/proc/self/uid_map")) return false;
    const char *line = next_line(&lines);
    for (int i = 0; line && i < 3; i++) {
        while (*line == ' ') line++;
        if (!number(&line, &range[i])) line = NULL;
    }
    close_lines(&lines);
    return range[0] == 0 && range[1] == 0 && range[2] == UINT32_MAX;
}

/*
 * The attribute of a foreign mount could name any file that this user may open. So only a udax mount is believed that root or this
 * user himself serves: the kernel says so in the table of mounts. Mount ids of new kernels are never used twice: the last is kept.
 */
static __attribute__((noinline)) enum trust trust(const struct facts *file)
{
    uint64_t uid = (uint64_t)sys(SYS_geteuid, 0, 0, 0, 0, 0, 0);
    uint64_t key = file->mask & STATX_MNT_ID_UNIQUE_ && uid < 1 << 24 && file->mount < 1ull << 40 ? file->mount | uid << 40 : 0;
    if (key && atomic_load(&trusted_mount) == key) return TRUSTED;
    struct lines lines;
    enum trust verdict = FOREIGN;
    if (!open_lines(&lines, "/proc/self/mountinfo")) return FOREIGN;
    for (const char *line; verdict == FOREIGN && (line = next_line(&lines));) {
        uint64_t major, minor, owner;
        const char *at = after(line, " "), *type = after(line, " - fuse.udax ");
        if (!at || !type || !(at = after(at, " ")) || !number(&at, &major) || !number(&at, &minor)) continue;
        if (major != file->dev_major || minor != file->dev_minor || !(at = after(type, ",user_id="))) continue;
        if (!number(&at, &owner)) continue;
        bool is_ours = owner == 0 || (owner == uid && (owner != 65534 || is_whole_namespace()));
        verdict = is_ours ? TRUSTED : OTHERS;
    }
    close_lines(&lines);
    if (verdict == TRUSTED && key) atomic_store(&trusted_mount, key);
    return verdict;
}

/* ---- one mapping ---- */

struct wish {
    uint64_t addr, length, offset;
    int prot, flags, fd, mode;
    bool shared, writable; /* writable: stores reach the file, now or after mprotect */
};

struct plan {
    uint64_t direct_end;  /* file offset up to which the memory is mapped */
    uint64_t end;         /* file offset of the end of the mapping, in whole pages; behind direct_end the file itself is mapped */
    uint64_t pieces;
    bool populate;
    int fd;
};

/* Remembers the memory, so that mremap() and others know its mappings. */
static bool remember(uint64_t inode, bool large)
{
    if (large) atomic_store(&has_large_pages, true);
    for (int i = 0; i < MEMORIES; i++) {
        uint64_t known = atomic_load(&memory_inodes[i]);
        if (known == 0 && atomic_compare_exchange_strong(&memory_inodes[i], &known, inode)) return true;
        if (known == inode) return true;
    }
    return false;
}

static const char *check_call(struct wish *w)
{
    int type = w->flags & 0xf;
    if (w->length == 0 || w->length > LIMIT || w->offset > LIMIT || w->offset % page) return "the kernel refuses such a call";
    if ((type != 1 && type != 2 && type != 3) || (w->flags & ~0xf & ~KNOWN_FLAGS)) return "a flag that only the kernel can judge";
    if (type == 3 && w->flags & MAP_FIXED_NOREPLACE_) return "a flag that only the kernel can judge";
    if (w->flags & FIXED_FLAGS && w->addr % page) return "the kernel refuses such a call";
    if (w->prot & ~(PROT_READ | PROT_WRITE)) return "PROT_EXEC and other protections are the kernel's";
    w->shared = type != 2;
    int status = (int)sys(SYS_fcntl, w->fd, F_GETFL, 0, 0, 0, 0);
    w->mode = status & O_ACCMODE;
    if (status < 0 || status & O_PATH || w->mode == O_WRONLY) return "the descriptor cannot be read";
    w->writable = w->shared && w->mode == O_RDWR;
    if (w->shared && w->prot & PROT_WRITE && !w->writable) return "the descriptor cannot be written";
    return NULL;
}

static const char *check_memory(const struct wish *w, const struct memory *m, uint64_t file_size)
{
    if (m->size != file_size) return "the size of the file is in doubt";
    if (w->offset >= round_up(m->size, page)) return "it begins behind the end of the file";
    if (m->kind == 'f') return m->granule > page && !w->shared ? "a private mapping of huge pages would take pages of its own" : NULL;
    if (!w->shared) return "a dax device cannot be mapped privately";
    return m->kind == 'p' && w->writable ? "stores to persistent memory must be flushed by the mount" : NULL;
}

/* Looks at each piece before anything is mapped: all of it must be there, and locked. */
static const char *prepare(const struct wish *w, const struct memory *m, const struct facts *backing, struct plan *p)
{
    bool is_sparse = m->kind == 'f' && backing->blocks * 512 < backing->size;
    p->end = w->offset + round_up(w->length, page);
    p->direct_end = round_up(least(p->end, round_up(m->size, page)), m->granule);
    if (p->direct_end > p->end && w->flags & FIXED_FLAGS) return "the mapping is shorter than a page of the memory";
    if (m->granule > page && p->end > p->direct_end) return "it ends behind the file, inside a page of the memory";
    if (m->granule > page && w->addr && w->flags & FIXED_FLAGS && w->addr % m->granule) return "the address is inside a page of the memory";
    for (uint64_t at = w->offset, where = 0, length; at < p->direct_end; at += length, p->pieces++) {
        length = run_at(m, at, p->direct_end, &where);
        if (length == 0) return "its extents do not fit the pages of the memory";
        if (m->kind == 'f' && where + length > backing->size) return "the memory ends before the file";
        struct flock lock = { .l_type = F_RDLCK, .l_start = (off_t)(USE_LOCK_BASE + where), .l_len = (off_t)length };
        if (sys(SYS_fcntl, p->fd, F_OFD_SETLK_, (long)&lock, 0, 0, 0) < 0) return "somebody has the memory for himself";
        if (!is_sparse || (uint64_t)sys(SYS_lseek, p->fd, (long)where, SEEK_HOLE_, 0, 0, 0) - where >= length) continue;
        /* A store into a hole of a full file system would be a SIGBUS; in tmpfs a load, too. */
        if (w->writable && sys(SYS_fallocate, p->fd, 1, (long)where, (long)length, 0, 0) < 0) return "there is no room for its holes";
        p->populate = !w->writable;
    }
    return NULL;
}

/*
 * Tells the users of the memory that there will be stores which they do not see (src/famfs/volume/store-marks.ts): a lock as long as
 * the mapping lives, and the time of the memory.
 */
static bool tell_stores(int fd)
{
    struct flock lock = { .l_type = F_RDLCK, .l_start = (off_t)STORES_LOCK, .l_len = 1 };
    return sys(SYS_fcntl, fd, F_OFD_SETLK_, (long)&lock, 0, 0, 0) == 0 && sys(SYS_utimensat, fd, 0, 0, 0, 0, 0) == 0;
}

/* Whether the bytes between the end of the file and the end of its page are zero, as they are in a mapping of the file. */
static bool is_tail_zero(const struct memory *m, int fd)
{
    unsigned char bytes[256];
    uint64_t end = round_up(m->size, page), where = 0;
    for (uint64_t at = m->size, step; at < end; at += step) {
        uint64_t first = at - at % m->granule;
        step = least(sizeof bytes, end - at);
        if (run_at(m, first, first + m->granule, &where) == 0) return false;
        where += at - first;
        long got = m->kind == 'f' ? sys(SYS_pread64, fd, (long)bytes, (long)step, (long)where, 0, 0)
                                  : peek(fd, m->granule, where, bytes, step);
        if (got != (long)step) return false;
        for (uint64_t i = 0; i < step; i++)
            if (bytes[i]) return false;
    }
    return true;
}

/* Reserves addresses that are congruent with the first piece modulo the huge page, so that the kernel can use huge pages. */
static long reserve(const struct wish *w, uint64_t length, uint64_t where, uint64_t granule)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (w->flags & PLACING_FLAGS);
    uint64_t unit = granule > HUGE_PAGE ? granule : HUGE_PAGE;
    bool aligns = granule > page || (length >= HUGE_PAGE && w->addr == 0 && !(w->flags & PLACING_FLAGS));
    if (!aligns || w->flags & MAP_FIXED_NOREPLACE_) {
        long at = sys(SYS_mmap, (long)w->addr, (long)length, PROT_NONE, flags, -1, 0);
        if (at >= 0 && w->flags & MAP_FIXED_NOREPLACE_ && (uint64_t)at != w->addr) return sys(SYS_munmap, at, (long)length, 0, 0, 0, 0), -EEXIST;
        return at;
    }
    long at = sys(SYS_mmap, 0, (long)(length + unit), PROT_NONE, flags, -1, 0);
    if (at < 0) return at;
    uint64_t lead = (where % unit + unit - (uint64_t)at % unit) % unit;
    if (lead) sys(SYS_munmap, at, (long)lead, 0, 0, 0, 0);
    sys(SYS_munmap, (long)((uint64_t)at + lead + length), (long)(unit - lead), 0, 0, 0, 0);
    return (long)((uint64_t)at + lead);
}

/* Maps all pieces. Returns the address, or a negative errno with nothing mapped (but for MAP_FIXED, where the old way maps over it). */
static long map_pieces(const struct wish *w, const struct memory *m, const struct plan *p)
{
    uint64_t where = 0, whole = (p->direct_end > p->end ? p->direct_end : p->end) - w->offset;
    int flags = w->flags & ~PLACING_FLAGS;
    uint64_t first = run_at(m, w->offset, p->direct_end, &where);
    if (first == whole) return sys(SYS_mmap, (long)w->addr, (long)whole, w->prot, w->flags, p->fd, (long)where);
    long base = w->flags & MAP_FIXED ? (long)w->addr : reserve(w, whole, where, m->granule);
    if (base < 0) return base;
    long result = 0;
    for (uint64_t at = w->offset, length; at < p->direct_end && result >= 0; at += length) {
        length = run_at(m, at, p->direct_end, &where);
        result = sys(SYS_mmap, (long)((uint64_t)base + at - w->offset), (long)length, w->prot, flags | MAP_FIXED, p->fd, (long)where);
    }
    if (result >= 0 && p->end > p->direct_end)
        result = sys(SYS_mmap, (long)((uint64_t)base + p->direct_end - w->offset), (long)(p->end - p->direct_end), w->prot,
                     flags | MAP_FIXED, w->fd, (long)p->direct_end);
    if (result >= 0) return base;
    if (!(w->flags & MAP_FIXED)) sys(SYS_munmap, base, (long)whole, 0, 0, 0, 0);
    return result;
}

static const char *map_open(const struct wish *w, const struct memory *m, long told, struct plan *p, long *mapped)
{
    struct facts backing;
    if (!facts_of(p->fd, &backing)) return "the memory cannot be looked at";
    bool is_it = m->kind == 'f' ? is_regular(&backing) && backing.dev_major == m->major && backing.dev_minor == m->minor && backing.inode == m->inode
                                : is_device(&backing) && backing.rdev_major == m->major && backing.rdev_minor == m->minor;
    if (!is_it) return "the path of the memory leads to another file here";
    /* A mapping can be made executable later, where the file system allows it. */
    if (is_noexec(w->fd) && !is_noexec(p->fd)) return "the mount is noexec, the memory is not";
    const char *why = prepare(w, m, &backing, p);
    if (why) return why;
    if (w->writable && !tell_stores(p->fd)) return "others cannot be told of stores";
    /* Once it is locked nobody can format it anew. Until now somebody could: the mount would answer differently, or not at all. */
    if (sys(SYS_fgetxattr, w->fd, (long)ATTRIBUTE, 0, 0, 0, 0) != told) return "the mount has changed";
    if (p->direct_end >= m->size && m->size % page && !is_tail_zero(m, p->fd)) {
        if (m->granule > page) return "behind the end of the file there are bytes that a mapping must not show";
        p->direct_end = m->size - m->size % page;
        if (p->direct_end <= w->offset) return "behind the end of the file there are bytes that a mapping must not show";
    }
    if (!remember(backing.inode, m->granule > page || m->kind != 'f')) return "this process maps too many memories";
    long at = map_pieces(w, m, p);
    if (at < 0) return error_name((int)-at);
    if (p->populate && is_memory_file(p->fd) && sys(SYS_madvise, at, (long)(p->direct_end - w->offset), MADV_POPULATE_READ_, 0, 0, 0) < 0) {
        if (!(w->flags & MAP_FIXED)) sys(SYS_munmap, at, (long)(p->end - w->offset), 0, 0, 0, 0);
        return "there is no room for its holes";
    }
    *mapped = at;
    return NULL;
}

static const char *map_told(const struct wish *w, uint64_t file_size, char *text, long told, struct plan *p, long *mapped)
{
    struct memory m;
    text[told] = '\0';
    if (text[0] == '0' && text[1] == ' ') return text + 2;
    if (!parse(text, &m)) return "what the mount says is not understood";
    const char *why = check_memory(w, &m, file_size);
    if (why) return why;
    int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (w->writable ? O_RDWR : O_RDONLY);
    p->fd = (int)sys(SYS_openat, AT_FDCWD, (long)m.path, flags, 0, 0, 0);
    if (p->fd < 0) return p->fd == -EACCES || p->fd == -EPERM ? "this user may not open the memory" : error_name(-p->fd);
    why = map_open(w, &m, told, p, mapped);
    sys(SYS_close, p->fd, 0, 0, 0, 0, 0);
    return why;
}

/* Returns the address, or 0 for the old way. */
static long map_memory(struct wish *w)
{
    struct facts file;
    char text[TEXT_BYTES];
    long mapped = 0;
    struct plan plan = { .fd = -1 };
    if (!is_fuse(w->fd) || !facts_of(w->fd, &file) || !is_regular(&file)) return 0;
    enum trust trusted = trust(&file);
    if (trusted == FOREIGN) return 0;
    const char *why = trusted == OTHERS ? "the mount belongs to another user" : check_call(w);
    if (!why) {
        long told = sys(SYS_fgetxattr, w->fd, (long)ATTRIBUTE, (long)text, sizeof text - 1, 0, 0);
        why = told > 0 ? map_told(w, file.size, text, told, &plan, &mapped) : error_name((int)-told);
    }
    if (explains()) explain(w->fd, w->offset, w->length, w->prot, w->flags, mapped, plan.pieces, why);
    return why ? 0 : mapped;
}

EXPORT void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
    if (fd >= 0 && !(flags & MAP_ANONYMOUS)) {
        struct wish wish = { .addr = (uint64_t)addr, .length = length, .offset = (uint64_t)offset, .prot = prot, .flags = flags, .fd = fd };
        long at = map_memory(&wish);
        if (at) return (void *)at;
    }
    if (next.mmap) return next.mmap(addr, length, prot, flags, fd, offset);
    return (void *)answer(sys(SYS_mmap, (long)addr, (long)length, prot, flags, fd, offset));
}
EXPORT void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));

/* ---- calls on mappings that would reach beyond the file, or that a page of the memory is too large for ---- */

/* Whether the mapping at an address is of memory that was mapped here; `end` becomes its end. */
static __attribute__((noinline)) bool is_ours(uint64_t addr, uint64_t *end)
{
    if (!atomic_load(&memory_inodes[0])) return false;
    struct lines lines;
    bool found = false;
    if (!open_lines(&lines, "/proc/self/maps")) return false;
    for (const char *line; (line = next_line(&lines));) {
        uint64_t from, to, inode = 0;
        if (!hexadecimal(&line, &from) || !hexadecimal(&line, &to) || addr >= to) continue;
        for (int i = 0; i < 3 && line; i++) line = after(line, " ");
        if (addr < from || !line || !number(&line, &inode)) break;
        *end = to;
        for (int i = 0; i < MEMORIES && inode; i++) found |= atomic_load(&memory_inodes[i]) == inode;
        break;
    }
    close_lines(&lines);
    return found;
}

/* A mapping of large pages ends behind the length that the program asked for: its end, when the range ends in its last page. */
static bool ends_in_large_page(void *addr, size_t length, uint64_t *end)
{
    uint64_t asked = (uint64_t)addr + round_up(length, page);
    return atomic_load(&has_large_pages) && length && is_ours((uint64_t)addr, end) && asked < *end && *end - asked < LARGEST_PAGE;
}

EXPORT int munmap(void *addr, size_t length)
{
    uint64_t end;
    int result = next.munmap ? next.munmap(addr, length) : (int)answer(sys(SYS_munmap, (long)addr, (long)length, 0, 0, 0, 0));
    if (result == 0 || *error_place() != EINVAL || !ends_in_large_page(addr, length, &end)) return result;
    return (int)answer(sys(SYS_munmap, (long)addr, (long)(end - (uint64_t)addr), 0, 0, 0, 0));
}

EXPORT int mprotect(void *addr, size_t length, int prot)
{
    uint64_t end;
    int result = next.mprotect ? next.mprotect(addr, length, prot) : (int)answer(sys(SYS_mprotect, (long)addr, (long)length, prot, 0, 0, 0));
    if (result == 0 || *error_place() != EINVAL || !ends_in_large_page(addr, length, &end)) return result;
    return (int)answer(sys(SYS_mprotect, (long)addr, (long)(end - (uint64_t)addr), prot, 0, 0, 0));
}

/* A dax device has no msync: volatile memory that all its users see at once needs none. */
EXPORT int msync(void *addr, size_t length, int flags)
{
    uint64_t end;
    int before = *error_place();
    int result = next.msync ? next.msync(addr, length, flags) : (int)answer(sys(SYS_msync, (long)addr, (long)length, flags, 0, 0, 0));
    bool is_valid = !((uint64_t)addr % page) && !(flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) && (flags & (MS_ASYNC | MS_SYNC)) != (MS_ASYNC | MS_SYNC);
    if (result == 0 || *error_place() != EINVAL || !is_valid || !atomic_load(&has_large_pages) || !is_ours((uint64_t)addr, &end)) return result;
    *error_place() = before;
    return 0;
}

/* Grown, a mapping would show what follows in the memory: bytes of other files. */
EXPORT void *mremap(void *addr, size_t old_length, size_t new_length, int flags, ...)
{
    uint64_t end;
    void *target = NULL;
    __builtin_va_list list;
    __builtin_va_start(list, flags);
    if (flags & (2 | 4)) target = __builtin_va_arg(list, void *);
    __builtin_va_end(list);
    if (new_length > old_length && is_ours((uint64_t)addr, &end) && round_up(new_length, page) > end - (uint64_t)addr) {
        *error_place() = ENOMEM;
        return MAP_FAILED;
    }
    if (next.mremap) return next.mremap(addr, old_length, new_length, flags, target);
    return (void *)answer(sys(SYS_mremap, (long)addr, (long)old_length, (long)new_length, flags, (long)target, 0));
}

EXPORT int madvise(void *addr, size_t length, int advice)
{
    uint64_t end;
    if (advice == MADV_REMOVE && is_ours((uint64_t)addr, &end)) return (int)answer(-EOPNOTSUPP); /* as the file itself */
    if (next.madvise) return next.madvise(addr, length, advice);
    return (int)answer(sys(SYS_madvise, (long)addr, (long)length, advice, 0, 0, 0));
}

EXPORT int remap_file_pages(void *addr, size_t size, int prot, size_t offset, int flags)
{
    uint64_t end;
    if (is_ours((uint64_t)addr, &end)) return (int)answer(-EINVAL);
    return (int)answer(sys(SYS_remap_file_pages, (long)addr, (long)size, prot, (long)offset, flags, 0));
}

__attribute__((constructor)) static void start(void)
{
    page = host_page();
    find_next(&next);
    start_explaining();
}
