/* SPDX-License-Identifier: PostgreSQL */
#include "git/diff.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "git/internal.h"

#define CIPHER_MIN 20 /* hex digits that are cipher text, not a number */

enum line_kind { LINE_PLAIN, LINE_VAULT, LINE_KEY };

static const char *const placeholders[] = {
	[LINE_PLAIN] = "", [LINE_VAULT] = "(vault content)", [LINE_KEY] = "(private key)"};

/* The kind of each line: a hunk may begin in the middle of a key. */
struct kinds {
	unsigned char *items;
	size_t count;
};

static bool holds(const char *line, size_t len, const char *part)
{
	return memmem(line, len, part, strlen(part)) != NULL;
}

static bool is_cipher(const char *line, size_t len)
{
	size_t digits = 0;

	while (len && isspace((unsigned char)*line)) {
		line++;
		len--;
	}
	while (digits < len && isxdigit((unsigned char)line[digits]))
		digits++;
	for (size_t i = digits; i < len; i++) {
		if (!isspace((unsigned char)line[i]))
			return false;
	}
	return digits >= CIPHER_MIN;
}

static enum line_kind kind_of(const char *line, size_t len, enum line_kind before, bool *in_vault)
{
	bool ends_before = before != LINE_KEY;

	*in_vault = (*in_vault && is_cipher(line, len)) || holds(line, len, "$ANSIBLE_VAULT;");
	if (holds(line, len, "-----BEGIN ") && holds(line, len, "PRIVATE KEY-----"))
		return LINE_KEY;
	if (!ends_before)
		return LINE_KEY;
	return *in_vault && !holds(line, len, "$ANSIBLE_VAULT;") ? LINE_VAULT : LINE_PLAIN;
}

static int read_kinds(struct kinds *out, const char *text, size_t len, struct err *err)
{
	const char *end = text ? text + len : NULL;
	enum line_kind before = LINE_PLAIN;
	bool in_vault = false;
	size_t lines = 1;

	for (const char *at = text; at && at < end && (at = memchr(at, '\n', (size_t)(end - at)));
	     at++)
		lines++;
	out->items = calloc(lines + 1, 1);
	out->count = lines;
	if (!out->items)
		return err_nomem(err);
	for (size_t line = 0; text && text < end; line++) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t size = (size_t)((stop ? stop : end) - text);
		enum line_kind kind = kind_of(text, size, before, &in_vault);

		out->items[line] = (unsigned char)kind;
		before = kind == LINE_KEY && holds(text, size, "-----END ") ? LINE_PLAIN : kind;
		text += size + (stop ? 1 : 0);
	}
	return 0;
}

struct printing {
	struct buf *out;
	struct kinds old, new;
	diff_mask *mask;
	void *ctx;
	char origin; /* of the placeholder before this line; 0: there is none */
	enum line_kind kind;
};

static enum line_kind kind_at(const struct printing *printing, const git_diff_line *line)
{
	bool old = line->origin == GIT_DIFF_LINE_DELETION;
	const struct kinds *kinds = old ? &printing->old : &printing->new;
	int number = old ? line->old_lineno : line->new_lineno;

	if (number < 1 || (size_t)number > kinds->count)
		return LINE_PLAIN;
	return (enum line_kind)kinds->items[number - 1];
}

static void add_line(struct printing *printing, const git_diff_line *line)
{
	size_t len = line->content_len, before;
	bool ended = len && line->content[len - 1] == '\n';
	enum line_kind kind = kind_at(printing, line);
	struct buf *out = printing->out;

	if (kind != LINE_PLAIN) {
		if (printing->origin != line->origin || printing->kind != kind)
			buf_addf(out, "%c%s\n", line->origin, placeholders[kind]);
		printing->origin = line->origin;
		printing->kind = kind;
		return;
	}
	printing->origin = 0;
	buf_addc(out, line->origin);
	before = out->len;
	if (printing->mask) {
		printing->mask(printing->ctx, line->content, ended ? len - 1 : len, out);
		if (out->len == before && !out->failed) {
			out->data[--out->len] = '\0';
			return;
		}
		buf_addc(out, '\n');
	} else {
		buf_add(out, line->content, ended ? len - 1 : len);
		buf_addc(out, '\n');
	}
}

static int print_line(const git_diff_delta *delta, const git_diff_hunk *hunk,
		      const git_diff_line *line, void *ctx)
{
	struct printing *printing = ctx;

	(void)delta;
	(void)hunk;
	switch (line->origin) {
	case GIT_DIFF_LINE_CONTEXT:
	case GIT_DIFF_LINE_ADDITION:
	case GIT_DIFF_LINE_DELETION:
		add_line(printing, line);
		break;
	case GIT_DIFF_LINE_HUNK_HDR:
		/* without the heading behind "@@", which is a line of the file */
		printing->origin = 0;
		buf_addf(printing->out, "@@ -%d,%d +%d,%d @@\n", hunk->old_start, hunk->old_lines,
			 hunk->new_start, hunk->new_lines);
		break;
	case GIT_DIFF_LINE_CONTEXT_EOFNL:
	case GIT_DIFF_LINE_ADD_EOFNL:
	case GIT_DIFF_LINE_DEL_EOFNL:
		buf_adds(printing->out, "\\ No newline at end of file\n");
		break;
	case GIT_DIFF_LINE_BINARY:
		buf_adds(printing->out, "binary content changes\n");
		break;
	default:
		break;
	}
	return printing->out->failed ? -1 : 0;
}

static bool is_vault(const char *data, size_t len)
{
	static const char mark[] = "$ANSIBLE_VAULT;";

	return data && len >= sizeof(mark) - 1 && !memcmp(data, mark, sizeof(mark) - 1);
}

static int print_hunks(struct printing *printing, const char *path, const char *old, size_t old_len,
		       const char *new, size_t new_len, struct err *err)
{
	git_patch *patch = NULL;
	git_diff_options options;
	int rc = read_kinds(&printing->old, old, old_len, err);

	if (!rc)
		rc = read_kinds(&printing->new, new, new_len, err);
	if (rc)
		return rc;
	(void)git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
	options.flags = GIT_DIFF_FORCE_TEXT;
	if (git_patch_from_buffers(&patch, old ? old : "", old_len, path, new ? new : "", new_len,
				   path, &options) < 0 ||
	    (git_patch_print(patch, print_line, printing) < 0 && !printing->out->failed))
		rc = git_fail(err, "%s: cannot make a diff", path);
	git_patch_free(patch);
	return rc;
}

int diff_text(struct buf *out, const char *path, const void *old, size_t old_len, const void *new,
	      size_t new_len, diff_mask *mask, void *ctx, struct err *err)
{
	struct printing printing = {.out = out, .mask = mask, .ctx = ctx};
	int rc = 0;

	if ((!old && !new) || (old && new &&old_len == new_len && !memcmp(old, new, old_len)))
		return 0;
	buf_addf(out, "--- %s%s\n", old ? "a/" : "/dev/null", old ? path : "");
	buf_addf(out, "+++ %s%s\n", new ? "b/" : "/dev/null", new ? path : "");
	if (is_vault(old, old_len) || is_vault(new, new_len)) {
		buf_adds(out, "vault content changes\n");
	} else {
		if (git_libgit2_init() < 0)
			return git_fail(err, "cannot start libgit2");
		rc = print_hunks(&printing, path, old, old_len, new, new_len, err);
		(void)git_libgit2_shutdown();
	}
	free(printing.old.items);
	free(printing.new.items);
	return rc ? rc : buf_check(out, "a diff", err);
}
