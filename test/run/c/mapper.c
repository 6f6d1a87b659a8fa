// Maps a file as each line of stdin says, and prints what every call answers and every page shows. Run on the same file by the old
// way and under the preload library, it must print the same.
// Line: MODE PROT FLAGS OFFSET LENGTH PLACE PROT2 STORES   (numbers; PROT2 -1: no mprotect)
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096 };
static sigjmp_buf back;
static void caught(int number) { siglongjmp(back, number); }

static uint64_t hash(const volatile unsigned char *bytes, size_t length)
{
    uint64_t sum = 14695981039346656037ull;
    for (size_t i = 0; i < length; i++) sum = (sum ^ bytes[i]) * 1099511628211ull;
    return sum;
}

/* One sum over what all pages show; a page that cannot be loaded counts by its signal. */
static void loads(const unsigned char *at, size_t length)
{
    uint64_t sum = 0;
    size_t signals[32] = { 0 };
    for (size_t page = 0; page < length; page += PAGE) {
        volatile uint64_t seen = 0;
        int number = sigsetjmp(back, 1);
        if (number == 0) seen = hash(at + page, PAGE);
        else signals[number & 31]++;
        sum = sum * 31 + seen + (uint64_t)number;
    }
    printf(" loads %016llx bus %zu segv %zu", (unsigned long long)sum, signals[SIGBUS], signals[SIGSEGV]);
}

static void stores(unsigned char *at, size_t length, off_t offset, off_t size, unsigned seed)
{
    size_t done = 0, failed = 0;
    for (size_t page = 0; page < length; page += PAGE) {
        off_t inside = offset + (off_t)page + (off_t)((seed * 2654435761u + page) % PAGE);
        if (inside >= size && offset + (off_t)page < size) continue; /* behind the end in the last page: nobody's bytes */
        if (sigsetjmp(back, 1) == 0) {
            *(volatile unsigned char *)(at + (inside - offset)) = (unsigned char)(seed + page / PAGE);
            done++;
        } else
            failed++;
    }
    printf(" stores %zu failed %zu", done, failed);
}

static void *placed(size_t length, int place, int *flags)
{
    size_t whole = (length + PAGE - 1) / PAGE * PAGE + PAGE;
    if (place == 0 || length == 0 || length > 1u << 30) return NULL;
    char *at = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == 1) *flags |= MAP_FIXED;
    if (place >= 2 && place != 4) *flags |= 0x100000; /* MAP_FIXED_NOREPLACE; place 3: the range is taken */
    if (place != 1 && place != 3) munmap(at, whole);
    return place == 5 ? at + 1 : at;
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = caught, .sa_flags = SA_NODEFER };
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    long mode, prot, offset, length, place, prot2, store;
    unsigned long flags;
    unsigned seed = 1;
    struct stat stat;
    while (argc > 1 && scanf("%ld %ld %lx %ld %ld %ld %ld %ld", &mode, &prot, &flags, &offset, &length, &place, &prot2, &store) == 8) {
        int fd = open(argv[1], (int)mode), flag = (int)flags;
        if (fd < 0 || fstat(fd, &stat)) return 1;
        void *wanted = placed((size_t)length, (int)place, &flag);
        errno = 77;
        unsigned char *at = mmap(wanted, (size_t)length, (int)prot, flag, fd, offset);
        printf("%u:", seed);
        if (at == MAP_FAILED) printf(" mmap %s", strerrorname_np(errno));
        else {
            printf(" errno %d", errno);
            if (flag & (MAP_FIXED | 0x100000)) printf(" at it %d", at == wanted);
            close(fd);
            loads(at, (size_t)length);
            if (prot2 >= 0) printf(" mprotect %s", mprotect(at, (size_t)length, (int)prot2) ? strerrorname_np(errno) : "ok");
            if (store) stores(at, (size_t)length, offset, stat.st_size, seed);
            loads(at, (size_t)length);
            printf(" msync %s", msync(at, (size_t)length, MS_SYNC) ? strerrorname_np(errno) : "ok");
            printf(" munmap %s", munmap(at, (size_t)length) ? strerrorname_np(errno) : "ok");
            if (sigsetjmp(back, 1) == 0) printf(" still %d", *at);
            else printf(" gone");
            fd = open(argv[1], O_RDONLY);
        }
        static unsigned char all[64 << 20];
        ssize_t got = pread(fd, all, sizeof all, 0);
        printf(" file %016llx\n", (unsigned long long)hash(all, got > 0 ? (size_t)got : 0));
        close(fd);
        seed++;
    }
    return 0;
}
