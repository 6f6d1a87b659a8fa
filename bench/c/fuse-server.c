/*
 * What a FUSE server costs in C: the yardstick for ours (bench row D). libfuse's low-level interface, one thread or as many as it likes.
 * Serves DIRECTORIES directories d0, d1 ... of FILES files f0, f1 ... each, and one file "big" from mapped memory.
 * Usage: fuse-server MOUNTPOINT MEMORY OFFSET BYTES DIRECTORIES FILES one|many (big is those bytes of MEMORY)
 */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define CACHED_SECONDS 86400.0
#define SMALL_BYTES 100
#define BIG_INO 2
#define FIRST_DIRECTORY_INO 3

static char *image;
static size_t image_bytes;
static long directories, files_in_each;
static int can_do_without_opendir;
static time_t mounted_at;

static fuse_ino_t directory_ino(long d) { return FIRST_DIRECTORY_INO + d; }
static fuse_ino_t file_ino(long d, long f) { return FIRST_DIRECTORY_INO + directories + d * files_in_each + f; }

static int attributes(fuse_ino_t ino, struct stat *st)
{
	fuse_ino_t end = FIRST_DIRECTORY_INO + directories * (files_in_each + 1);

	memset(st, 0, sizeof(*st));
	if (ino == 0 || ino >= end)
		return ENOENT;
	st->st_ino = ino;
	st->st_nlink = 1;
	/* As ours: what ls -l prints costs it the same on both mounts. */
	st->st_mtime = st->st_atime = st->st_ctime = mounted_at;
	if (ino == FUSE_ROOT_ID || (ino >= FIRST_DIRECTORY_INO && ino < directory_ino(directories))) {
		st->st_mode = S_IFDIR | 0755;
	} else {
		st->st_mode = S_IFREG | 0644;
		st->st_size = ino == BIG_INO ? (off_t)image_bytes : SMALL_BYTES;
		st->st_blocks = (st->st_size + 511) / 512;
	}
	return 0;
}

static int entry(fuse_ino_t ino, struct fuse_entry_param *e)
{
	memset(e, 0, sizeof(*e));
	e->ino = ino;
	e->attr_timeout = e->entry_timeout = CACHED_SECONDS;
	return attributes(ino, &e->attr);
}

static long number_after(char letter, const char *name, long end)
{
	char *rest;
	long n;

	if (name[0] != letter || name[1] == 0)
		return -1;
	n = strtol(name + 1, &rest, 10);
	return *rest == 0 && n >= 0 && n < end ? n : -1;
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e;
	fuse_ino_t ino = 0;
	long n;

	if (parent == FUSE_ROOT_ID) {
		if (strcmp(name, "big") == 0)
			ino = BIG_INO;
		else if ((n = number_after('d', name, directories)) >= 0)
			ino = directory_ino(n);
	} else if ((n = number_after('f', name, files_in_each)) >= 0) {
		ino = file_ino(parent - FIRST_DIRECTORY_INO, n);
	}
	if (ino == 0 || entry(ino, &e) != 0)
		fuse_reply_err(req, ENOENT);
	else
		fuse_reply_entry(req, &e);
}

static void do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;
	int error = attributes(ino, &st);

	(void)fi;
	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_attr(req, &st, CACHED_SECONDS);
}

static void do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->keep_cache = 1;
	fuse_reply_open(req, fi);
}

static void do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	(void)fi;
	if (ino != BIG_INO || (size_t)offset >= image_bytes) {
		fuse_reply_buf(req, NULL, 0);
		return;
	}
	if (size > image_bytes - offset)
		size = image_bytes - offset;
	fuse_reply_buf(req, image + offset, size);
}

static void do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	/* Where the kernel can do without: it then asks no more, and keeps listings as with these two flags. */
	if (can_do_without_opendir) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	fi->cache_readdir = 1;
	fi->keep_cache = 1;
	fuse_reply_open(req, fi);
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, int plus)
{
	static char buffer[1 << 20];
	long count = ino == FUSE_ROOT_ID ? directories + 1 : files_in_each;
	size_t used = 0;
	long place;

	if (size > sizeof(buffer))
		size = sizeof(buffer);
	for (place = offset; place < count; place++) {
		struct fuse_entry_param e;
		char name[32];
		size_t took;

		if (ino == FUSE_ROOT_ID && place == directories) {
			strcpy(name, "big");
			entry(BIG_INO, &e);
		} else if (ino == FUSE_ROOT_ID) {
			snprintf(name, sizeof(name), "d%ld", place);
			entry(directory_ino(place), &e);
		} else {
			snprintf(name, sizeof(name), "f%ld", place);
			entry(file_ino(ino - FIRST_DIRECTORY_INO, place), &e);
		}
		took = plus ? fuse_add_direntry_plus(req, buffer + used, size - used, name, &e, place + 1)
			    : fuse_add_direntry(req, buffer + used, size - used, name, &e.attr, place + 1);
		if (took > size - used)
			break;
		used += took;
	}
	fuse_reply_buf(req, buffer, used);
}

static void do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	(void)fi;
	list(req, ino, size, offset, 0);
}

static void do_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	(void)fi;
	list(req, ino, size, offset, 1);
}

static void do_init(void *data, struct fuse_conn_info *connection)
{
	(void)data;
	can_do_without_opendir = (connection->capable & FUSE_CAP_NO_OPENDIR_SUPPORT) != 0;
}

static const struct fuse_lowlevel_ops operations = {
	.init = do_init,
	.lookup = do_lookup,
	.getattr = do_getattr,
	.open = do_open,
	.read = do_read,
	.opendir = do_opendir,
	.readdir = do_readdir,
	.readdirplus = do_readdirplus,
};

int main(int argc, char **argv)
{
	char *options[] = { argv[0], "-odefault_permissions", "-ofsname=c-yardstick" };
	struct fuse_args args = FUSE_ARGS_INIT(3, options);
	struct fuse_session *session;
	int fd, result;

	if (argc != 8)
		return 2;
	mounted_at = time(NULL);
	image_bytes = strtoull(argv[4], NULL, 10);
	directories = atol(argv[5]);
	files_in_each = atol(argv[6]);
	fd = open(argv[2], O_RDONLY);
	image = mmap(NULL, image_bytes, PROT_READ, MAP_SHARED, fd, strtoull(argv[3], NULL, 10));
	if (fd < 0 || image == MAP_FAILED)
		return 1;
	session = fuse_session_new(&args, &operations, sizeof(operations), NULL);
	if (session == NULL || fuse_set_signal_handlers(session) != 0 || fuse_session_mount(session, argv[1]) != 0)
		return 1;
	result = strcmp(argv[7], "many") == 0 ? fuse_session_loop_mt(session, NULL) : fuse_session_loop(session);
	fuse_session_unmount(session);
	fuse_session_destroy(session);
	return result != 0;
}
