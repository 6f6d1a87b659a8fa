// Maps FILE whole, shared and privately; stores through the first, sees it in the second and by pread; prints a sum of its bytes.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct stat stat;
    int fd = argc > 1 ? open(argv[1], O_RDWR) : -1;
    if (fd < 0 || fstat(fd, &stat)) return 1;
    unsigned char *shared = mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    unsigned char *own = mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (shared == MAP_FAILED || own == MAP_FAILED) return 2;
    unsigned long sum = 0;
    for (off_t i = 0; i < stat.st_size; i++) sum += shared[i];
    own[5000] = 1;
    shared[0] = 42;
    unsigned char first = 0;
    if (pread(fd, &first, 1, 0) != 1 || first != 42 || own[0] != 42) return 3;
    if (msync(shared, (size_t)stat.st_size, MS_SYNC) || munmap(shared, (size_t)stat.st_size) || munmap(own, (size_t)stat.st_size)) return 4;
    printf("%lu\n", sum);
    return 0;
}
