/* SPDX-License-Identifier: PostgreSQL */
#include "outside/template.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/strs.h"

#define WORDS_MAX 32
#define SLACK	  "slack"

/* "{word}" or "{word|markup}", inside the template. */
struct place {
	const char *word, *markup;
	size_t word_len, markup_len; /* markup NULL: no bar */
	size_t len;
};

static size_t letters(const char *text, size_t len)
{
	size_t at = 0;

	while (at < len && (isalpha((unsigned char)text[at]) || text[at] == '_'))
		at++;
	return at;
}

static bool place_here(struct place *out, const char *text, size_t len)
{
	size_t at;

	if (text[0] != '{')
		return false;
	*out = (struct place){.word = text + 1, .word_len = letters(text + 1, len - 1)};
	at = 1 + out->word_len;
	if (at < len && text[at] == '|') {
		out->markup = text + at + 1;
		out->markup_len = letters(out->markup, len - at - 1);
		at += 1 + out->markup_len;
	}
	out->len = at + 1;
	return out->word_len && at < len && text[at] == '}';
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

/* What begins a link, a mention of everybody, or an entity there. */
static void add_for_slack(struct buf *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '&')
			buf_adds(out, "&amp;");
		else if (*value == '<')
			buf_adds(out, "&lt;");
		else if (*value == '>')
			buf_adds(out, "&gt;");
		else
			buf_addc(out, *value);
	}
}

/* The inside of the JSON string. */
static int add_value(struct buf *out, const char *value, bool slack, struct err *err)
{
	struct json *string;
	struct buf text, marked;
	int rc;

	buf_init(&marked, BUF_TEXT_MAX);
	if (slack)
		add_for_slack(&marked, value);
	rc = buf_check(&marked, "a value", err);
	string = rc ? NULL : js_new_string(slack ? marked.data : value);
	buf_release(&marked);
	buf_init(&text, BUF_TEXT_MAX);
	rc = rc ? rc : string ? js_dump(&text, string, false, err) : err_nomem(err);
	if (!rc && text.len >= 2)
		buf_add(out, text.data + 1, text.len - 2);
	buf_release(&text);
	js_free(string);
	return rc;
}

static int add_word(struct buf *out, const struct place *place, const char *name, size_t line,
		    const struct template_word *words, size_t count, struct err *err)
{
	const struct template_word *known = find(words, count, place->word, place->word_len);
	bool slack = place->markup_len == strlen(SLACK) &&
		     !memcmp(place->markup, SLACK, place->markup_len);

	if (!known)
		return unknown(words, count, place->word, place->word_len, name, line, err);
	if (place->markup && !slack) {
		err_set(err, ERR_USAGE, "%s:%zu: '|%.*s' stands for nothing", name, line,
			(int)(place->markup_len < 64 ? place->markup_len : 64), place->markup);
		return err_hint(err, "there is {%s|" SLACK "}, and {%s}", known->name, known->name);
	}
	return add_value(out, known->value ? known->value : "", slack, err);
}

static int fill(struct buf *out, const char *text, size_t len, const char *name,
		const struct template_word *words, size_t count, struct err *err)
{
	size_t line = 1;
	int rc = 0;

	for (size_t i = 0; i < len && !rc;) {
		struct place place;

		if (place_here(&place, text + i, len - i)) {
			rc = add_word(out, &place, name, line, words, count, err);
			i += place.len;
			continue;
		}
		line += text[i] == '\n';
		buf_addc(out, text[i++]);
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
