/* SPDX-License-Identifier: PostgreSQL */
#include "state/census.h"

#include <stdlib.h>

#include "base/file.h"

#define RECORD_MAX ((size_t)16 << 20)

int census_load(struct census *out, const struct session *session, struct err *err)
{
	char *path = path_join(session->local_dir, "census.json");
	struct buf text;
	int rc = path ? 0 : err_nomem(err);

	*out = (struct census)CENSUS_INIT;
	buf_init(&text, RECORD_MAX);
	rc = rc ? rc : file_read(&text, path, RECORD_MAX, err);
	if (rc == ERR_NOENT) {
		err_clear(err);
		rc = 0;
	} else if (!rc) {
		rc = census_parse(out, text.data, text.len, path, err);
	}
	buf_release(&text);
	free(path);
	return rc;
}
