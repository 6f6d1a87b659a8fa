/*
 * The client of bench row D: does one thing many times, prints how many seconds it took.
 * Usage: fuse-client read FILE BLOCK_BYTES COUNT | fuse-client stat ROOT DIRECTORIES FILES
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec + at.tv_nsec / 1e9;
}

static int reads(const char *path, size_t block, long count)
{
	int fd = open(path, O_RDONLY);
	off_t blocks = lseek(fd, 0, SEEK_END) / block;
	char *buffer = aligned_alloc(4096, block);
	unsigned long state = 88172645463325252ul;
	long i;

	if (fd < 0 || blocks <= 0)
		return 1;
	memset(buffer, 0, block);
	for (i = 0; i < count; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		if (pread(fd, buffer, block, (off_t)(state % blocks) * block) != (ssize_t)block)
			return 1;
	}
	return 0;
}

static int stats(const char *root, long directories, long files)
{
	struct stat st;
	char path[4096];
	long d, f;

	for (d = 0; d < directories; d++)
		for (f = 0; f < files; f++) {
			snprintf(path, sizeof(path), "%s/d%ld/f%ld", root, d, f);
			if (stat(path, &st) != 0)
				return 1;
		}
	return 0;
}

int main(int argc, char **argv)
{
	double start = now();
	int failed;

	if (argc != 5)
		return 2;
	if (strcmp(argv[1], "read") == 0)
		failed = reads(argv[2], strtoul(argv[3], NULL, 10), atol(argv[4]));
	else
		failed = stats(argv[2], atol(argv[3]), atol(argv[4]));
	printf("%.6f\n", now() - start);
	return failed;
}
