/* SPDX-License-Identifier: PostgreSQL */
/* What git ls-files and git status print (-z), and ids of files as git would store them. */
#include "git/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int index_entries(struct repo *repo, const char *const *prefixes, size_t count,
		  int (*each)(void *ctx, const struct index_entry *entry, struct err *err),
		  void *ctx, struct err *err)
{
	const char *args[PREFIXES_MAX + 8] = {"ls-files", "-z", "-v", "--stage", "--"};
	struct buf text;
	size_t used = 5;
	int rc;

	if (count > PREFIXES_MAX)
		return err_set(err, ERR_FAIL, "git ls-files: too many paths");
	for (size_t i = 0; i < count; i++)
		args[used++] = prefixes[i];
	buf_init(&text, GIT_TEXT_MAX);
	rc = run_git_ok(repo, &(struct run){.args = args, .out = &text}, "ls-files", err);
	/* "H 100644 40-hex-digits 0\tpath\0" */
	for (const char *at = text.data; !rc && at < text.data + text.len; at += strlen(at) + 1) {
		const char *path = strchr(at, '\t');
		struct index_entry entry;
		git_oid id;

		if (!path || path - at != 51 || git_oid_fromstrn(&id, at + 9, OID_SIZE - 1) < 0)
			rc = err_set(err, ERR_FAIL, "git ls-files: cannot read its answer");
		if (rc)
			break;
		entry.path = path + 1;
		entry.assumed = at[0] >= 'a' && at[0] <= 'z';
		entry.skipped = at[0] == 'S' || at[0] == 's';
		entry.mode = (unsigned)strtoul(at + 2, NULL, 8);
		entry.id = id.id;
		entry.stage = at[50] - '0';
		rc = each(ctx, &entry, err);
	}
	buf_release(&text);
	return rc;
}

void index_entry_id(struct oid *out, const struct index_entry *entry)
{
	git_oid id;

	memcpy(id.id, entry->id, sizeof(id.id));
	oid_from_git(out, &id);
}

int hash_as_stored(struct strs *out, struct repo *repo, const struct strs *paths, struct err *err)
{
	static const char *const args[] = {"hash-object", "--stdin-paths", NULL};
	struct buf input, text;
	int rc = 0;

	if (!paths->count)
		return 0;
	buf_init(&input, GIT_TEXT_MAX);
	buf_init(&text, GIT_TEXT_MAX);
	for (size_t i = 0; i < paths->count; i++)
		buf_addf(&input, "%s\n", paths->items[i]);
	rc = buf_check(&input, "a list of files", err);
	if (!rc)
		rc = run_git_ok(repo,
				&(struct run){.args = args,
					      .input = input.data,
					      .input_len = input.len,
					      .out = &text},
				"hash-object", err);
	if (!rc && text.len != paths->count * OID_SIZE)
		rc = err_set(err, ERR_FAIL, "git hash-object: cannot read its answer");
	for (size_t i = 0; !rc && i < paths->count; i++) {
		text.data[i * OID_SIZE + OID_SIZE - 1] = '\0';
		rc = strs_add(out, text.data + i * OID_SIZE, err);
	}
	buf_release(&input);
	buf_release(&text);
	return rc;
}

int hash_as_is(struct oid *out, const char *file, struct err *err)
{
	git_oid id;

	if (git_odb_hashfile(&id, file, GIT_OBJECT_BLOB) < 0)
		return git_fail(err, "cannot read %s", file);
	oid_from_git(out, &id);
	return 0;
}
