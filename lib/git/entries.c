/* SPDX-License-Identifier: PostgreSQL */
/*
 * Reads an index that is one plain file: version 2 or 3, of one piece, with an entry for each file
 * (gitformat-index(5)). To let the git program read 50,000 entries and print them takes ten times
 * as long. Like git it does not look at the checksum at the end (read-cache.c: verify_hdr).
 */
#include <endian.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "git/listing.h"

#define HEADER	      12
#define CHECKSUM      20
#define ENTRY_MODE    24
#define ENTRY_ID      40
#define ENTRY_FLAGS   60
#define ENTRY_FIXED   62
#define FLAG_ASSUMED  0x8000
#define FLAG_EXTENDED 0x4000
#define FLAG_STAGE    0x3000
#define FLAG_LEN      0x0fff
#define MORE_SKIPPED  0x4000

struct index_file {
	const char *at, *end; /* behind the header; before the checksum */
	uint32_t version, left;
};

static uint32_t be32(const char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

static uint16_t be16(const char *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return be16toh(value);
}

static bool begin(struct index_file *out, const char *data, size_t len)
{
	if (len < HEADER + CHECKSUM || memcmp(data, "DIRC", 4) != 0)
		return false;
	*out = (struct index_file){.at = data + HEADER,
				   .end = data + len - CHECKSUM,
				   .version = be32(data + 4),
				   .left = be32(data + 8)};
	return out->version == 2 || out->version == 3;
}

/* Entries are padded with 1 to 8 NULs to a multiple of 8. False where it is none. */
static bool next(struct index_entry *out, struct index_file *file)
{
	const char *at = file->at, *name = at + ENTRY_FIXED;
	size_t room = (size_t)(file->end - at), len;
	unsigned flags, more = 0;

	if (room < ENTRY_FIXED + 2)
		return false;
	flags = be16(at + ENTRY_FLAGS);
	if (flags & FLAG_EXTENDED) {
		more = be16(name);
		name += 2;
	}
	len = strnlen(name, (size_t)(file->end - name));
	if (name + len == file->end ||
	    ((flags & FLAG_LEN) != FLAG_LEN && len != (flags & FLAG_LEN)))
		return false;
	file->at += ((size_t)(name - at) + len + 8) & ~(size_t)7;
	file->left--;
	*out = (struct index_entry){.path = name,
				    .id = (const unsigned char *)at + ENTRY_ID,
				    .mode = be32(at + ENTRY_MODE),
				    .stage = (int)((flags & FLAG_STAGE) >> 12),
				    .assumed = (flags & FLAG_ASSUMED) != 0,
				    .skipped = (more & MORE_SKIPPED) != 0};
	return file->at <= file->end;
}

/* An extension whose name begins with a small letter changes what the entries mean. */
static bool is_plain(const struct index_file *file)
{
	const char *at = file->at;

	while (file->end - at >= 8) {
		uint32_t len = be32(at + 4);

		if (at[0] < 'A' || at[0] > 'Z' || len > (size_t)(file->end - at) - 8)
			return false;
		at += 8 + len;
	}
	return at == file->end;
}

/* All of it before the first is told: nobody hears half an index. */
static bool is_whole(struct index_file file)
{
	struct index_entry entry;

	while (file.left) {
		if (!next(&entry, &file))
			return false;
	}
	return is_plain(&file);
}

int index_parse(bool *done, const char *data, size_t len,
		int (*each)(void *ctx, const struct index_entry *entry, struct err *err), void *ctx,
		struct err *err)
{
	struct index_file file;
	int rc = 0;

	*done = begin(&file, data, len) && is_whole(file);
	while (!rc && *done && file.left) {
		struct index_entry entry;

		(void)next(&entry, &file);
		rc = each(ctx, &entry, err);
	}
	return rc;
}

int index_scan(bool *done, struct repo *repo,
	       int (*each)(void *ctx, const struct index_entry *entry, struct err *err), void *ctx,
	       struct err *err)
{
	char *path = path_join(repo->dir, "index");
	struct buf text;
	struct stat st;
	int rc = 0;

	*done = false;
	if (!path)
		return err_nomem(err);
	buf_init(&text, GIT_BLOB_MAX);
	if (stat(path, &st) == 0)
		buf_reserve(&text, (size_t)st.st_size);
	if (file_read(&text, path, GIT_BLOB_MAX, NULL) == 0)
		rc = index_parse(done, text.data, text.len, each, ctx, err);
	buf_release(&text);
	free(path);
	return rc;
}
