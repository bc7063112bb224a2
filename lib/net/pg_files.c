/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/pg_impl.h"

#define MAP_KEY_SIZE 32
#define NO_FILE	     "/dev/null/none" /* libpq takes ENOTDIR as "not given" */

static int add(struct pg_files *files, struct strmap *map, struct secret text, size_t *index,
	       struct err *err)
{
	char key[MAP_KEY_SIZE];
	int rc = 0;

	*index = SIZE_MAX;
	if (!text.data)
		return 0;
	(void)snprintf(key, sizeof(key), "%p", (const void *)text.data);
	if (!strmap_get(map, key, index)) {
		*index = files->count++;
		files->items[*index] = (struct pg_file){.text = text, .fd = -1};
		rc = strmap_put(map, key, *index, err);
	}
	files->items[*index].users++;
	return rc;
}

/* Certificates are no secrets, but reach libpq the same way. */
static struct secret as_text(const char *text)
{
	union {
		const char *from;
		char *to;
	} plain = {.from = text};

	return text ? (struct secret){plain.to, strlen(text)} : (struct secret){NULL, 0};
}

int pg_files_init(struct pg_files *files, const struct pg_item *items, size_t count,
		  struct err *err)
{
	struct strmap map = STRMAP_INIT;
	int rc = 0;

	*files = (struct pg_files){0};
	files->items = calloc(count * PG_FILES_OF_ITEM + 1, sizeof(*files->items));
	files->of = calloc(count + 1, sizeof(*files->of));
	if (!files->items || !files->of) {
		free(files->items);
		free(files->of);
		*files = (struct pg_files){0};
		return err_nomem(err);
	}
	for (size_t i = 0; i < count && !rc; i++) {
		const struct pg_item *item = &items[i];
		struct secret none = {NULL, 0};

		rc = add(files, &map, as_text(item->cert_pem), &files->of[i][PG_FILE_CERT], err);
		if (!rc)
			rc = add(files, &map, item->key ? *item->key : none,
				 &files->of[i][PG_FILE_KEY], err);
		if (!rc)
			rc = add(files, &map, as_text(item->roots_pem),
				 &files->of[i][PG_FILE_ROOTS], err);
	}
	strmap_release(&map);
	if (rc)
		pg_files_release(files);
	return rc;
}

static void drop(struct pg_file *file)
{
	if (file->fd >= 0)
		(void)close(file->fd);
	file->fd = -1;
}

void pg_files_release(struct pg_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		drop(&files->items[i]);
	free(files->items);
	free(files->of);
	*files = (struct pg_files){0};
}

int pg_files_path(struct pg_files *files, size_t item, enum pg_file_kind kind,
		  char out[PG_PATH_SIZE], struct err *err)
{
	static const char *const names[] = {
		[PG_FILE_CERT] = "client certificate",
		[PG_FILE_KEY] = "client key",
		[PG_FILE_ROOTS] = "trusted bundle",
	};
	size_t index = files->of[item][kind];
	struct pg_file *file;

	if (index == SIZE_MAX) {
		(void)snprintf(out, PG_PATH_SIZE, "%s", NO_FILE);
		return 0;
	}
	file = &files->items[index];
	if (file->fd < 0)
		file->fd = secret_memfd(&file->text, names[kind], err);
	if (file->fd < 0)
		return ERR_FAIL;
	(void)snprintf(out, PG_PATH_SIZE, "/proc/self/fd/%d", file->fd);
	return 0;
}

void pg_files_done(struct pg_files *files, size_t item)
{
	for (int kind = 0; kind < PG_FILES_OF_ITEM; kind++) {
		size_t index = files->of[item][kind];

		if (index != SIZE_MAX && --files->items[index].users == 0)
			drop(&files->items[index]);
	}
}
