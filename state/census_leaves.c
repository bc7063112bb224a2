/* SPDX-License-Identifier: PostgreSQL */
/* Whose serial is it: every leaf of every generation that is known. */
#include <stdlib.h>
#include <string.h>

#include "state/census_internal.h"

static int add_leaves(struct census_index *index, const struct generation *gen, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < gen->leaf_count && !rc; i++)
		rc = census_index_add(index, gen->id, gen->leaves[i].name, gen->leaves[i].cert,
				      err);
	return rc;
}

/* "g12.yml": the public part of a generation. */
static unsigned kept_number(const char *file)
{
	size_t digits = file[0] == 'g' ? strspn(file + 1, "0123456789") : 0;

	return digits && !strcmp(file + 1 + digits, ".yml") ? generation_number(file) : 0;
}

static int descending(const void *a, const void *b)
{
	const unsigned *left = a, *right = b;

	return (*left < *right) - (*left > *right);
}

/* The numbers of the generations that are kept, the newest first; free() them. */
static int list_kept(unsigned **out, size_t *count, struct session *session, struct err *err)
{
	struct strs files = STRS_INIT;
	char *dir = session_path(session, "");
	int rc = dir ? 0 : err_nomem(err);

	*out = NULL;
	*count = 0;
	if (!rc) {
		dir[strlen(dir) - 1] = '\0';
		rc = repo_list(&files, session->repo, &session->base, dir, err);
	}
	if (rc == ERR_NOENT) {
		err_clear(err);
		rc = 0;
	}
	if (!rc) {
		*out = calloc(files.count + 1, sizeof(**out));
		rc = *out ? 0 : err_nomem(err);
	}
	for (size_t i = 0; i < files.count && !rc; i++) {
		unsigned number = kept_number(files.items[i]);

		if (number)
			(*out)[(*count)++] = number;
	}
	if (*out && *count)
		qsort(*out, *count, sizeof(**out), descending);
	strs_release(&files);
	free(dir);
	return rc;
}

/* One that cannot be read makes its serials unknown, which is said, and stops nothing. */
static int add_kept(struct census_index *index, struct session *session, unsigned number,
		    struct err *err)
{
	struct generation gen;
	struct err unread = {0};
	char *id = str_fmt("g%u", number);
	int rc = id ? 0 : err_nomem(err);

	if (!rc && session_generation(&gen, session, id, false, &unread)) {
		log_line(session->log, LOG_WARNING, "%s; its certificates count as unknown",
			 unread.msg);
	} else if (!rc) {
		rc = add_leaves(index, &gen, err);
		generation_release(&gen);
	}
	free(id);
	return rc;
}

int census_known_leaves(struct census_index **out, struct session *session, const struct live *live,
			struct err *err)
{
	unsigned *kept = NULL;
	size_t count = 0;
	int rc = census_index_new(out, err);

	rc = rc ? rc : list_kept(&kept, &count, session, err);
	for (size_t i = 0; i < count && !rc; i++)
		rc = add_kept(*out, session, kept[i], err);
	/* Last: the inventory may hold leaves that no generation has; the others are known by now.
	 */
	if (!rc && live->has_old)
		rc = add_leaves(*out, &live->old_gen, err);
	free(kept);
	if (rc) {
		census_index_free(*out);
		*out = NULL;
	}
	return rc;
}
