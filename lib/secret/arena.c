/* SPDX-License-Identifier: PostgreSQL */
#include "secret/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/huge.h"

#define PAGE	    ((size_t)4096)
#define REGION_SIZE ((size_t)256 << 10)
#define REGION_MOST ((size_t)8 << 20)
#define ALIGN	    ((size_t)16)

struct region {
	struct region *next;
	unsigned char *base;
	size_t size;
	size_t used;
};

struct arena {
	pthread_mutex_t lock; /* of all below */
	struct region *regions;
	size_t total;
	size_t max;
};

struct arena *arena_new(size_t max)
{
	struct arena *arena = calloc(1, sizeof(*arena));

	if (arena) {
		(void)pthread_mutex_init(&arena->lock, NULL);
		arena->max = max;
	}
	return arena;
}

void arena_free(struct arena *arena)
{
	struct region *next;

	if (!arena)
		return;
	for (struct region *region = arena->regions; region; region = next) {
		next = region->next;
		explicit_bzero(region->base, region->size);
		(void)munmap(region->base, region->size);
		free(region);
	}
	(void)pthread_mutex_destroy(&arena->lock);
	free(arena);
}

/* Of a region for many: they grow with what is there already, so that there are few of them. */
static size_t shared_size(const struct arena *arena)
{
	size_t size = REGION_SIZE;

	while (size < REGION_MOST && size < arena->total / 2)
		size *= 2;
	return size;
}

static struct region *add_region(struct arena *arena, size_t size)
{
	struct region *region = calloc(1, sizeof(*region));

	if (!region) {
		(void)err_nomem(NULL);
		return NULL;
	}
	region->size = shared_size(arena);
	if (size > region->size)
		region->size = (size + PAGE - 1) / PAGE * PAGE;
	region->base = mmap(NULL, region->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	if (region->base == MAP_FAILED) {
		(void)err_nomem(NULL);
		free(region);
		return NULL;
	}
	/* Best effort, all of it: an old kernel or a small RLIMIT_MEMLOCK must not stop the work.
	 */
	(void)madvise(region->base, region->size, MADV_DONTDUMP);
	(void)madvise(region->base, region->size, MADV_WIPEONFORK);
	huge_pages(region->base, region->size);
	(void)mlock(region->base, region->size);
	region->next = arena->regions;
	arena->regions = region;
	return region;
}

static void *take(struct arena *arena, size_t size)
{
	struct region *region = arena->regions;
	size_t rounded = (size + ALIGN - 1) / ALIGN * ALIGN;
	void *at;

	if (rounded < size || rounded > arena->max - arena->total)
		return NULL;
	if (!region || region->size - region->used < rounded) {
		region = add_region(arena, rounded);
		if (!region)
			return NULL;
	}
	at = region->base + region->used;
	region->used += rounded;
	arena->total += rounded;
	return at;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	void *at;

	(void)pthread_mutex_lock(&arena->lock);
	at = take(arena, size);
	(void)pthread_mutex_unlock(&arena->lock);
	return at;
}

/*
 * A text that has a region of its own moves there in its pages, without a copy that would have to
 * be wiped. NULL where it has none, or where more may not be locked.
 */
static void *move(struct arena *arena, const void *data, size_t old, size_t cap)
{
	size_t size = (cap + PAGE - 1) / PAGE * PAGE;
	struct region *region = arena->regions;
	void *base;

	while (region && region->base != data)
		region = region->next;
	if (!region || region->size != old || old <= REGION_SIZE ||
	    size - old > arena->max - arena->total)
		return NULL;
	base = mremap(region->base, old, size, MREMAP_MAYMOVE);
	if (base == MAP_FAILED)
		return NULL;
	arena->total += size - old;
	region->base = base;
	region->size = region->used = size;
	huge_pages(base, size);
	return base;
}

static void *grow_in_place(struct arena *arena, const void *data, size_t old, size_t cap)
{
	void *at;

	(void)pthread_mutex_lock(&arena->lock);
	at = move(arena, data, old, cap);
	(void)pthread_mutex_unlock(&arena->lock);
	return at;
}

int arena_copy(struct secret *out, struct arena *arena, const void *data, size_t len,
	       struct err *err)
{
	char *copy = arena_alloc(arena, len + 1);

	if (!copy)
		return err_nomem(err);
	if (len)
		memcpy(copy, data, len);
	out->data = copy;
	out->len = len;
	return 0;
}

void secret_wipe(struct secret *secret)
{
	if (secret->data)
		explicit_bzero(secret->data, secret->len);
	secret->data = NULL;
	secret->len = 0;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	unsigned char diff = 0;

	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		diff |= (unsigned char)(a->data[i] ^ b->data[i]);
	return diff == 0;
}

void secret_buf_init(struct secret_buf *buf, struct arena *arena)
{
	*buf = (struct secret_buf){.arena = arena};
}

void secret_buf_add(struct secret_buf *buf, const void *data, size_t len)
{
	if (buf->failed)
		return;
	if (buf->len + len + 1 > buf->cap) {
		size_t cap = buf->cap ? buf->cap : 1024;
		char *bigger;

		while (cap < buf->len + len + 1)
			cap *= 2;
		bigger = buf->data ? grow_in_place(buf->arena, buf->data, buf->cap, cap) : NULL;
		if (!bigger) {
			bigger = arena_alloc(buf->arena, cap);
			if (!bigger) {
				buf->failed = true;
				return;
			}
			if (buf->len) {
				memcpy(bigger, buf->data, buf->len);
				explicit_bzero(buf->data, buf->len);
			}
		}
		buf->data = bigger;
		buf->cap = cap;
	}
	if (len)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

static int too_much(const struct arena *arena, const char *what, struct err *err)
{
	if (!err_starved())
		return err_set(err, ERR_FAIL, "%s is too large: secrets take up to %zu bytes", what,
			       arena->max);
	return err_nomem_for(err, what);
}

int secret_buf_done(struct secret *out, struct secret_buf *buf, const char *what, struct err *err)
{
	secret_buf_add(buf, "", 0);
	if (buf->failed)
		return too_much(buf->arena, what, err);
	out->data = buf->data;
	out->len = buf->len;
	return 0;
}

int secret_read_file(struct secret *out, struct arena *arena, const char *path, size_t max,
		     struct err *err)
{
	struct secret_buf buf;
	struct stat st;
	char *chunk;
	int rc = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return err_sys(err, errno, "cannot open %s", path);
	secret_buf_init(&buf, arena);
	chunk = arena_alloc(arena, PAGE * 4);
	if (!chunk)
		rc = err_nomem(err);
	else if (fstat(fd, &st) < 0)
		rc = err_sys(err, errno, "cannot read %s", path);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(err, ERR_FAIL, "cannot read %s: not a regular file", path);
	if (!rc && (size_t)st.st_size < max) {
		buf.data = arena_alloc(arena, (size_t)st.st_size + 1);
		buf.cap = buf.data ? (size_t)st.st_size + 1 : 0;
	}
	while (!rc) {
		ssize_t got = read(fd, chunk, PAGE * 4);

		if (got == 0)
			break;
		if (got < 0) {
			if (errno != EINTR)
				rc = err_sys(err, errno, "cannot read %s", path);
			continue;
		}
		if (buf.len + (size_t)got > max)
			rc = err_set(err, ERR_FAIL, "%s is larger than %zu bytes", path, max);
		else
			secret_buf_add(&buf, chunk, (size_t)got);
	}
	(void)close(fd);
	if (chunk)
		explicit_bzero(chunk, PAGE * 4);
	return rc ? rc : secret_buf_done(out, &buf, path, err);
}

int secret_memfd(const struct secret *secret, const char *name, struct err *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int rc;

	if (fd < 0)
		return err_sys(err, errno, "cannot make an anonymous file");
	rc = file_write_all(fd, secret->data, secret->len, "an anonymous file", err);
	/* libpq refuses a key that others may read, and memfd_create gives mode 0777 */
	if (!rc && (fchmod(fd, 0600) < 0 ||
		    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0))
		rc = err_sys(err, errno, "cannot protect an anonymous file");
	if (rc) {
		(void)close(fd);
		return rc;
	}
	return fd;
}

void secret_harden_process(void)
{
	struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)umask(077);
}
