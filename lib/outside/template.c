/* SPDX-License-Identifier: PostgreSQL */
#include "outside/template.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/strs.h"

#define WORDS_MAX 32

/* The length of "{word}" at text; 0 where there is none. */
static size_t word_here(const char *text, size_t len)
{
	size_t at = 1;

	if (text[0] != '{')
		return 0;
	while (at < len && (isalpha((unsigned char)text[at]) || text[at] == '_'))
		at++;
	return at > 1 && at < len && text[at] == '}' ? at + 1 : 0;
}

static const struct template_word *find(const struct template_word *words, size_t count,
					const char *text, size_t len)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(words[i].name) == len && !memcmp(words[i].name, text, len))
			return &words[i];
	}
	return NULL;
}

static int unknown(const struct template_word *words, size_t count, const char *text, size_t len,
		   const char *name, size_t line, struct err *err)
{
	const char *names[WORDS_MAX];
	const char *near;
	char word[64];
	struct buf list;

	(void)snprintf(word, sizeof(word), "%.*s", (int)len, text);
	err_set(err, ERR_USAGE, "%s:%zu: '{%s}' stands for nothing", name, line, word);
	count = count < WORDS_MAX ? count : WORDS_MAX;
	for (size_t i = 0; i < count; i++)
		names[i] = words[i].name;
	near = str_nearest(word, names, count);
	if (near) {
		err_hint(err, "did you mean '{%s}'?", near);
		return ERR_USAGE;
	}
	buf_init(&list, 1024);
	for (size_t i = 0; i < count; i++)
		buf_addf(&list, "%s{%s}", i ? ", " : "", names[i]);
	err_hint(err, "there are %s", list.data);
	buf_release(&list);
	return ERR_USAGE;
}

/* The inside of the JSON string. */
static int add_value(struct buf *out, const char *value, struct err *err)
{
	struct json *string = js_new_string(value ? value : "");
	struct buf text;
	int rc;

	buf_init(&text, BUF_TEXT_MAX);
	rc = string ? js_dump(&text, string, false, err) : err_nomem(err);
	if (!rc && text.len >= 2)
		buf_add(out, text.data + 1, text.len - 2);
	buf_release(&text);
	js_free(string);
	return rc;
}

static int fill(struct buf *out, const char *text, size_t len, const char *name,
		const struct template_word *words, size_t count, struct err *err)
{
	size_t line = 1;
	int rc = 0;

	for (size_t i = 0; i < len && !rc;) {
		size_t word = word_here(text + i, len - i);
		const struct template_word *known;

		if (!word) {
			line += text[i] == '\n';
			buf_addc(out, text[i++]);
			continue;
		}
		known = find(words, count, text + i + 1, word - 2);
		rc = known ? add_value(out, known->value, err)
			   : unknown(words, count, text + i + 1, word - 2, name, line, err);
		i += word;
	}
	return rc ? rc : buf_check(out, name, err);
}

int template_fill(struct buf *out, const char *text, size_t len, const char *name,
		  const struct template_word *words, size_t count, struct err *err)
{
	struct json *parsed = NULL;
	struct buf filled;
	int rc;

	buf_init(&filled, out->max);
	rc = fill(&filled, text, len, name, words, count, err);
	if (!rc) {
		rc = js_parse(&parsed, filled.data, filled.len, name, err);
		rc = err_blame(err, rc, ERR_USAGE);
		if (rc == ERR_USAGE)
			err_hint(err, "a template is a JSON text once its words are replaced; they "
				      "stand between quotes: \"{text}\"");
	}
	js_free(parsed);
	if (!rc) {
		buf_add(out, filled.data, filled.len);
		rc = buf_check(out, name, err);
	}
	buf_release(&filled);
	return rc;
}
