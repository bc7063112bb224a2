/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "git/internal.h"

bool oid_equal(const struct oid *a, const struct oid *b)
{
	return strcmp(a->hex, b->hex) == 0;
}

bool oid_is_none(const struct oid *oid)
{
	return oid->hex[0] == '\0';
}

int oid_parse(struct oid *out, const char *text, struct err *err)
{
	struct buf shown;
	int rc;

	*out = OID_NONE;
	if (text && strlen(text) == OID_SIZE - 1 &&
	    strspn(text, "0123456789abcdef") == OID_SIZE - 1) {
		memcpy(out->hex, text, OID_SIZE);
		return 0;
	}
	buf_init(&shown, 400);
	buf_add_safe(&shown, text ? text : "", text ? strnlen(text, 80) : 0);
	rc = err_set(err, ERR_FAIL, "not the id of a commit (40 hex digits): '%s'", shown.data);
	buf_release(&shown);
	return rc;
}

int oid_to_git(git_oid *out, const struct oid *oid, struct err *err)
{
	struct oid checked;
	int rc = oid_parse(&checked, oid->hex, err);

	if (rc)
		return rc;
	if (git_oid_fromstr(out, checked.hex) < 0)
		return git_fail(err, "cannot read the id %s", checked.hex);
	return 0;
}

void oid_from_git(struct oid *out, const git_oid *oid)
{
	(void)git_oid_tostr(out->hex, sizeof(out->hex), oid);
}

static bool is_lack(int why)
{
	return why == EIO || why == ENOSPC || why == EDQUOT || why == EROFS || why == EMFILE ||
	       why == ENFILE || why == ENOMEM;
}

int git_fail(struct err *err, const char *fmt, ...)
{
	int why = errno;
	const git_error *last = git_error_last();
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (last && last->klass != GIT_ERROR_OS && is_lack(why))
		return err_sys(err, why, "%s", text);
	return err_reason(err, ERR_FAIL, last && last->message ? last->message : "no reason given",
			  "%s", text);
}
