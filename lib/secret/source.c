/* SPDX-License-Identifier: PostgreSQL */
#include "secret/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int secret_from_text(struct secret *out, struct arena *arena, const char *text, size_t len,
		     const char *what, struct err *err)
{
	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	if (!len)
		return err_set(err, ERR_USAGE, "%s is empty", what);
	if (len > SECRET_SOURCE_MAX)
		return err_set(err, ERR_USAGE, "%s is larger than %zu bytes", what,
			       SECRET_SOURCE_MAX);
	if (memchr(text, '\n', len))
		return err_set(err, ERR_USAGE, "%s has more than one line", what);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return err_set(err, ERR_USAGE, "%s has control characters in it", what);
	}
	return arena_copy(out, arena, text, len, err);
}

/* Before it is read: a secret that others could read is none any more. */
static int check_mode(const char *path, struct err *err)
{
	struct stat st;
	int rc;

	if (stat(path, &st) < 0) {
		rc = err_sys(err, errno, "cannot read %s", path);
		return err_blame(err, rc, ERR_USAGE);
	}
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_USAGE, "cannot read %s: not a regular file", path);
	if (!(st.st_mode & 077))
		return 0;
	err_set(err, ERR_USAGE, "%s can be read by others (mode %04o)", path,
		(unsigned)st.st_mode & 07777U);
	return err_hint(err, "chmod 0600 %s; and think of whether somebody has read it", path);
}

int secret_from_file(struct secret *out, struct arena *arena, const char *path, struct err *err)
{
	struct secret whole = {0};
	int rc = check_mode(path, err);

	if (rc)
		return rc;
	/* room for the line end behind the largest secret */
	rc = secret_read_file(&whole, arena, path, SECRET_SOURCE_MAX + 2, err);
	rc = err_blame(err, rc, ERR_USAGE);
	rc = rc ? rc : secret_from_text(out, arena, whole.data, whole.len, path, err);
	secret_wipe(&whole);
	return rc;
}

int secret_from_env(struct secret *out, struct arena *arena, const char *name, struct err *err)
{
	const char *value = getenv(name);
	char what[160];

	(void)snprintf(what, sizeof(what), "the environment variable %.100s", name);
	if (!value)
		return err_set(err, ERR_USAGE, "%s is not set", what);
	return secret_from_text(out, arena, value, strlen(value), what, err);
}
