/* SPDX-License-Identifier: PostgreSQL */
/* Finding the blocks of a PEM text (RFC 7468) without passing over any that is damaged. */
#include "pki/internal.h"

#include <ctype.h>
#include <string.h>

#define BEGIN  "-----BEGIN "
#define END    "-----END "
#define DASHES "-----"
#define GLUED                                                                                      \
	"begin each block on a line of its own: PostgreSQL does not load a file like that, says "  \
	"so in its log only, and does not start again with it"

struct line {
	const char *text; /* without line end and blanks at its end */
	size_t len;
};

bool pem_label_is(const struct pem_block *block, const char *label)
{
	return block->label_len == strlen(label) && !memcmp(block->label, label, block->label_len);
}

static bool next_line(struct line *out, struct pem_scan *scan)
{
	const char *end;

	if (scan->at >= scan->len)
		return false;
	out->text = scan->text + scan->at;
	end = memchr(out->text, '\n', scan->len - scan->at);
	out->len = end ? (size_t)(end - out->text) : scan->len - scan->at;
	scan->at += out->len + (end != NULL);
	scan->line++;
	while (out->len && strchr(" \t\r", out->text[out->len - 1]) && out->text[out->len - 1])
		out->len--;
	return true;
}

static bool has(const struct line *line, const char *part)
{
	return memmem(line->text, line->len, part, strlen(part)) != NULL;
}

static bool starts(const struct line *line, const char *prefix)
{
	return line->len >= strlen(prefix) && !memcmp(line->text, prefix, strlen(prefix));
}

/* Whether the line is PREFIX, a label, dashes, and nothing else. */
static bool is_boundary(const struct line *line, const char *prefix, const char **label,
			size_t *label_len)
{
	size_t before = strlen(prefix), after = strlen(DASHES);

	if (!starts(line, prefix) || line->len < before + after ||
	    memcmp(line->text + line->len - after, DASHES, after) != 0)
		return false;
	*label = line->text + before;
	*label_len = line->len - before - after;
	/* RFC 7468: a label never has a hyphen at its end, and "--" would be another boundary */
	return memchr(*label, '-', *label_len) == NULL;
}

static bool is_base64(const struct line *line)
{
	size_t i = 0;

	while (i < line->len && (line->text[i] == ' ' || line->text[i] == '\t'))
		i++;
	if (i == line->len)
		return false;
	for (; i < line->len; i++) {
		unsigned char c = (unsigned char)line->text[i];

		if (!isalnum(c) && c != '+' && c != '/' && c != '=')
			return false;
	}
	return true;
}

static int misplaced(const struct pem_scan *scan, const struct line *line, struct err *err)
{
	if (line->len && (line->text[0] == ' ' || line->text[0] == '\t'))
		return err_set(err, ERR_FAIL,
			       "%s: line %zu: the line with dashes is indented, which OpenSSL "
			       "passes over",
			       scan->name, scan->line);
	if (has(line, BEGIN)) {
		(void)err_set(err, ERR_FAIL,
			      "%s: line %zu: the BEGIN of block %zu has no line of its own",
			      scan->name, scan->line, scan->count + 1);
		return err_hint(err, "%s", GLUED);
	}
	return err_set(err, ERR_FAIL, "%s: line %zu: an END without a BEGIN", scan->name,
		       scan->line);
}

/* Reads on to the block's END line. */
static int finish(struct pem_block *block, struct pem_scan *scan, struct err *err)
{
	bool strict = pem_label_is(block, "CERTIFICATE");
	struct line line;
	const char *label;
	size_t label_len, content = 0;

	while (next_line(&line, scan)) {
		if (is_boundary(&line, END, &label, &label_len)) {
			if (label_len != block->label_len ||
			    memcmp(label, block->label, label_len) != 0)
				return err_set(err, ERR_FAIL,
					       "%s: block %zu (line %zu): BEGIN and END name "
					       "different things",
					       scan->name, block->number, block->line);
			if (!content)
				return err_set(err, ERR_FAIL, "%s: block %zu (line %zu) is empty",
					       scan->name, block->number, block->line);
			block->len = (size_t)(line.text + line.len - block->start);
			return 1;
		}
		if (starts(&line, END)) {
			(void)err_set(err, ERR_FAIL,
				      "%s: block %zu (line %zu): something is glued to its END "
				      "line (line %zu)",
				      scan->name, block->number, block->line, scan->line);
			return err_hint(err, "%s", GLUED);
		}
		if (has(&line, BEGIN))
			break;
		content++;
		if (strict && !is_base64(&line))
			return err_set(err, ERR_FAIL,
				       "%s: certificate %zu (line %zu): line %zu is not base64",
				       scan->name, block->number, block->line, scan->line);
	}
	return err_set(err, ERR_FAIL, "%s: block %zu (line %zu) is truncated: it has no END line",
		       scan->name, block->number, block->line);
}

int pem_next(struct pem_block *out, struct pem_scan *scan, struct err *err)
{
	struct line line;
	int rc;

	while (next_line(&line, scan)) {
		if (!has(&line, BEGIN) && !has(&line, END))
			continue;
		*out = (struct pem_block){
			.number = scan->count + 1, .line = scan->line, .start = line.text};
		if (!is_boundary(&line, BEGIN, &out->label, &out->label_len))
			return misplaced(scan, &line, err);
		rc = finish(out, scan, err);
		scan->count++;
		return rc;
	}
	return 0;
}
