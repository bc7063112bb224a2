/* SPDX-License-Identifier: PostgreSQL */
/* What gitattributes(5) say of files, as the git program finds it. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "git/advance.h"
#include "git/listing.h"

#define ATTRIBUTES ".gitattributes"

/* "path\0attribute\0value\0" */
static int tell(const struct buf *text, each_attribute *each, void *ctx, struct err *err)
{
	const char *at = text->data, *end = at + text->len;
	int rc = 0;

	while (!rc && at < end) {
		const char *name = at + strlen(at) + 1;
		const char *value = name < end ? name + strlen(name) + 1 : end;

		if (value >= end)
			return err_set(err, ERR_FAIL, "git check-attr: cannot read its answer");
		rc = each(ctx, at, name, value, err);
		at = value + strlen(value) + 1;
	}
	return rc;
}

int attributes_ask(struct repo *repo, const struct buf *paths, bool index, each_attribute *each,
		   void *ctx, struct err *err)
{
	static const char *const args[] = {"check-attr", "-z",	   "--stdin",
					   "text",	 "crlf",   "eol",
					   "ident",	 "filter", "working-tree-encoding",
					   NULL};
	char *none = str_fmt("%s/certrotate-index.none", repo->dir);
	struct buf text;
	int rc = none ? buf_check(paths, "a list of paths", err) : err_nomem(err);

	buf_init(&text, GIT_TEXT_MAX);
	if (!rc && paths->len)
		rc = run_git_ok(repo,
				&(struct run){.args = args,
					      .index = index ? NULL : none,
					      .input = paths->data,
					      .input_len = paths->len,
					      .out = &text},
				"check-attr", err);
	rc = rc ? rc : tell(&text, each, ctx, err);
	buf_release(&text);
	free(none);
	return rc;
}

/* ERR_NOENT: one was found. */
static int look_for_lost(void *ctx, const struct index_entry *entry, struct err *err)
{
	const struct repo *repo = ctx;
	struct stat st;
	char *full;
	bool there;

	if (!str_ends(entry->path, ATTRIBUTES))
		return 0;
	full = path_join(repo->root, entry->path);
	if (!full)
		return err_nomem(err);
	there = lstat(full, &st) == 0 && S_ISREG(st.st_mode);
	free(full);
	return there ? 0 : ERR_NOENT;
}

bool attributes_need_index(struct repo *repo)
{
	bool done;

	return index_scan(&done, repo, look_for_lost, repo, NULL) != 0 || !done;
}

struct asked {
	struct steps *steps;
	bool line_ends;
	bool binary; /* the path that is being told has "-text" */
};

static int take_attribute(void *ctx, const char *path, const char *name, const char *value,
			  struct err *err)
{
	struct asked *asked = ctx;
	bool open = !strcmp(value, "unspecified"), off = !strcmp(value, "unset");
	struct file_step *step;
	bool changes;
	size_t at;

	if (!strmap_get(&asked->steps->by_path, path, &at))
		return err_set(err, ERR_FAIL, "git check-attr: cannot read its answer");
	step = &asked->steps->items[at];
	if (!strcmp(name, "text")) {
		asked->binary = off;
		step->as_is = true;
		changes = !off && (!open || asked->line_ends);
	} else if (!strcmp(name, "crlf") || !strcmp(name, "eol")) {
		changes = !open && !asked->binary;
	} else {
		changes = !open && !off;
	}
	step->as_is = step->as_is && !changes;
	return 0;
}

/* Where the attributes themselves are among the files the git program sees each as it comes. */
int steps_ask_attributes(struct steps *steps, struct repo *repo, struct err *err)
{
	const struct settings *settings;
	struct asked asked = {.steps = steps};
	struct buf paths;
	int rc = 0;

	for (size_t i = 0; i < steps->count; i++) {
		if (str_ends(steps->items[i].path, ATTRIBUTES))
			return 0;
	}
	buf_init(&paths, GIT_TEXT_MAX);
	for (size_t i = 0; i < steps->count; i++)
		buf_add(&paths, steps->items[i].path, strlen(steps->items[i].path) + 1);
	rc = settings_get(&settings, repo, err);
	if (!rc) {
		asked.line_ends = settings->line_ends != ANSWER_NO;
		rc = attributes_ask(repo, &paths, false, take_attribute, &asked, err);
	}
	buf_release(&paths);
	return rc;
}
