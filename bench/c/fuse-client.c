/*
 * The client of bench row D: does one thing many times, prints how many seconds it took.
 * Usage: fuse-client read FILE BLOCK_BYTES COUNT | fuse-client readers FILE BLOCK_BYTES COUNT_EACH |
 *        fuse-client map FILE BLOCK_BYTES 1 | fuse-client stat ROOT DIRECTORIES FILES
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SEED 88172645463325252ul

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec + at.tv_nsec / 1e9;
}

enum { READERS = 8 };

static int reads(const char *path, size_t block, long count, unsigned long state)
{
	int fd = open(path, O_RDONLY);
	off_t blocks = lseek(fd, 0, SEEK_END) / block;
	char *buffer = aligned_alloc(4096, block);
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

struct reader {
	const char *path;
	size_t block;
	long count;
	unsigned long state;
};

static void *run_reader(void *given)
{
	struct reader *reader = given;

	return (void *)(long)reads(reader->path, reader->block, reader->count, reader->state);
}

/* Eight at once, each reads other blocks. */
static int readers(const char *path, size_t block, long count)
{
	pthread_t threads[READERS];
	struct reader each[READERS];
	int failed = 0;
	long i;

	for (i = 0; i < READERS; i++) {
		each[i] = (struct reader){ path, block, count, SEED + i * 0x9e3779b97f4a7c15ul };
		if (pthread_create(&threads[i], NULL, run_reader, &each[i]) != 0)
			return 1;
	}
	for (i = 0; i < READERS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		failed |= result != NULL;
	}
	return failed;
}

/* One byte of each block of a mapping, from the first to the last. */
static int maps(const char *path, size_t block)
{
	int fd = open(path, O_RDONLY);
	off_t bytes = lseek(fd, 0, SEEK_END), at;
	const volatile char *mapped = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	int sum = 0;

	if (fd < 0 || mapped == MAP_FAILED)
		return 1;
	for (at = 0; at < bytes; at += block)
		sum += mapped[at];
	return sum == 1;
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
		failed = reads(argv[2], strtoul(argv[3], NULL, 10), atol(argv[4]), SEED);
	else if (strcmp(argv[1], "readers") == 0)
		failed = readers(argv[2], strtoul(argv[3], NULL, 10), atol(argv[4]));
	else if (strcmp(argv[1], "map") == 0)
		failed = maps(argv[2], strtoul(argv[3], NULL, 10));
	else
		failed = stats(argv[2], atol(argv[3]), atol(argv[4]));
	printf("%.6f\n", now() - start);
	return failed;
}
