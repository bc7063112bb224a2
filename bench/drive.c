/* SPDX-License-Identifier: PostgreSQL */
#include "bench/drive.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "pki/key.h"

#define FILE_MAX ((size_t)512 << 20)

void drive_begin(void)
{
	struct err err = {0};

	(void)mallopt(M_PERTURB, 0xa5);
	secret_harden_process();
	must(key_harden_process(&err), &err);
}

void must(int rc, const struct err *err)
{
	if (!rc)
		return;
	(void)fprintf(stderr, "%s\n", err->msg);
	exit(1);
}

void *must_have(void *memory)
{
	if (memory)
		return memory;
	(void)fputs("out of memory\n", stderr);
	exit(1);
}

size_t number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || !*text) {
		(void)fprintf(stderr, "%s: not a number\n", text);
		exit(2);
	}
	return value;
}

void drive_read(struct buf *out, const char *path)
{
	struct err err = {0};

	buf_init(out, FILE_MAX);
	must(file_read(out, path, FILE_MAX, &err), &err);
}

const char *drive_map(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct err err = {0};
	struct stat st;
	void *text;

	if (fd < 0 || fstat(fd, &st) < 0)
		must(err_sys(&err, errno, "%s", path), &err);
	*len = (size_t)st.st_size;
	text = mmap(NULL, *len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (text == MAP_FAILED)
		must(err_sys(&err, errno, "%s", path), &err);
	(void)close(fd);
	return text;
}

void drive_read_secret(struct secret *out, struct arena *arena, const char *path)
{
	struct err err = {0};

	must(secret_read_file(out, arena, path, FILE_MAX, &err), &err);
}

int drive_create(const char *path)
{
	struct err err = {0};
	int fd;

	/* As ansible-vault does it: file systems wait for the disk where a file is emptied. */
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		must(err_sys(&err, errno, "%s", path), &err);
	return fd;
}

void drive_write(const char *path, const void *data, size_t len)
{
	struct err err = {0};
	int fd = drive_create(path);

	must(file_write_all(fd, data, len, path, &err), &err);
	(void)close(fd);
}

static double seconds(clockid_t clock_id)
{
	struct timespec ts;

	(void)clock_gettime(clock_id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

double drive_wall(void)
{
	return seconds(CLOCK_MONOTONIC);
}

double drive_cpu(void)
{
	return seconds(CLOCK_PROCESS_CPUTIME_ID);
}
