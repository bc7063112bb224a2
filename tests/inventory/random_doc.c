/* SPDX-License-Identifier: PostgreSQL */
#include "tests/inventory/random_doc.h"

#include <stdio.h>
#include <string.h>

static const char *const authorities[] = {"server", "client", "k-é", "on"};
static const char *const names[] = {
	"db1.example.com", "db2", "üser", "a b", "123", "yes", "x:y", "it's", "q\"q", "app_1"};
#define AUTHORITIES (sizeof(authorities) / sizeof(authorities[0]))
#define NAMES	    (sizeof(names) / sizeof(names[0]))

uint64_t doc_random(struct doc *doc, uint64_t below)
{
	/* splitmix64, by Sebastiano Vigna, public domain */
	uint64_t z = doc->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % below;
}

static bool chance(struct doc *doc, uint64_t percent)
{
	return doc_random(doc, 100) < percent;
}

void doc_pem(struct doc *doc, char *out, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t lines = 1 + doc_random(doc, 4);
	size_t len = 0;

	if (chance(doc, 20))
		len += (size_t)snprintf(out, size, "subject=CN = Jürgen \"x\" \\ # no comment\n");
	len += (size_t)snprintf(out + len, size - len, "-----BEGIN CERTIFICATE-----\n");
	for (size_t i = 0; i < lines; i++) {
		for (size_t n = 1 + doc_random(doc, 40); n > 0; n--)
			out[len++] = digits[doc_random(doc, 64)];
		out[len++] = '\n';
	}
	(void)snprintf(out + len, size - len, "-----END CERTIFICATE-----\n");
}

static void eol(struct doc *doc)
{
	buf_adds(&doc->text, doc->eol);
}

static void spaces(struct doc *doc, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_addc(&doc->text, ' ');
}

/* Comments and blank lines between things; column: at most where a comment may stand. */
static void add_between(struct doc *doc, size_t column)
{
	if (!doc->keeps && chance(doc, 30))
		eol(doc);
	if (chance(doc, 20)) {
		spaces(doc, doc_random(doc, column + 1));
		buf_adds(&doc->text, "# bücher: \"{x}\" |");
		eol(doc);
		doc->keeps = false;
		if (chance(doc, 30))
			eol(doc);
	}
}

static void add_rest(struct doc *doc)
{
	if (chance(doc, 20))
		buf_adds(&doc->text, "  # ä comment: {}");
}

static bool is_plain(const char *name)
{
	return !strpbrk(name, " :'\"") && strcmp(name, "123") != 0 && strcmp(name, "yes") != 0 &&
	       strcmp(name, "on") != 0;
}

static void add_name(struct doc *doc, const char *name)
{
	uint64_t way = doc_random(doc, 3);

	if (way == 0 && is_plain(name)) {
		buf_adds(&doc->text, name);
	} else if (way == 1) {
		buf_addc(&doc->text, '\'');
		for (const char *c = name; *c; c++)
			buf_add(&doc->text, *c == '\'' ? "''" : c, *c == '\'' ? 2 : 1);
		buf_addc(&doc->text, '\'');
	} else {
		buf_addc(&doc->text, '"');
		for (const char *c = name; *c; c++) {
			if (*c == '"')
				buf_addc(&doc->text, '\\');
			buf_addc(&doc->text, *c);
		}
		buf_addc(&doc->text, '"');
	}
}

static void add_double(struct doc *doc, struct doc_entry *entry, size_t column)
{
	bool many_lines = !doc->flow && chance(doc, 40);

	if (chance(doc, 30))
		entry->value[strlen(entry->value) - 1] = '\0';
	buf_addc(&doc->text, '"');
	for (const char *c = entry->value; *c; c++) {
		if (*c == '\n') {
			buf_adds(&doc->text, "\\n");
			if (many_lines) {
				buf_adds(&doc->text, "\\");
				eol(doc);
				spaces(doc, column + 1);
			}
			continue;
		}
		if (*c == '"' || *c == '\\')
			buf_addc(&doc->text, '\\');
		buf_addc(&doc->text, *c);
	}
	buf_addc(&doc->text, '"');
}

static void add_block(struct doc *doc, struct doc_entry *entry, size_t column, bool folded)
{
	static const char *const chomps[] = {"", "", "-", "+"};
	const char *chomp = chomps[doc_random(doc, 4)];
	size_t indent = 1 + doc_random(doc, 4);
	bool digit = chance(doc, 20);
	size_t len;

	entry->block = true;
	if (folded)
		(void)snprintf(entry->value, DOC_VALUE, "folded text\n");
	buf_addc(&doc->text, folded ? '>' : '|');
	if (digit)
		buf_addf(&doc->text, "%zu", indent);
	buf_adds(&doc->text, chomp);
	add_rest(doc);
	for (const char *line = entry->value; *line; line += strcspn(line, "\n") + 1) {
		eol(doc);
		spaces(doc, column + indent);
		buf_add(&doc->text, line, strcspn(line, "\n"));
	}
	len = strlen(entry->value);
	if (*chomp == '-')
		entry->value[len - 1] = '\0';
	doc->keeps = *chomp == '+';
	while (doc->keeps && chance(doc, 40) && len < DOC_VALUE - 1) {
		eol(doc);
		entry->value[len++] = '\n';
		entry->value[len] = '\0';
	}
}

static void add_word(struct doc *doc, struct doc_entry *entry, const char *quote)
{
	(void)snprintf(entry->value, DOC_VALUE, "%s", "wörd");
	buf_addf(&doc->text, "%swörd%s", quote, quote);
}

static void add_vault(struct doc *doc, struct doc_entry *entry, size_t column)
{
	entry->vault = true;
	buf_adds(&doc->text, chance(doc, 80) ? "!vault " : "!vault   ");
	(void)snprintf(entry->value, DOC_VALUE, "$ANSIBLE_VAULT;1.1;AES256\n%08x\n",
		       (unsigned)doc_random(doc, UINT32_MAX));
	if (doc->flow)
		add_double(doc, entry, column);
	else
		add_block(doc, entry, column, false);
}

static void add_value(struct doc *doc, struct doc_entry *entry, size_t column)
{
	uint64_t way = doc_random(doc, 100);

	doc->keeps = false;
	entry->start = doc->text.len;
	doc_pem(doc, entry->value, DOC_VALUE);
	if (way < 8)
		add_vault(doc, entry, column);
	else if (way < 14)
		add_word(doc, entry, "");
	else if (way < 20)
		add_word(doc, entry, "'");
	else if (doc->flow || way < 40)
		add_double(doc, entry, column);
	else
		add_block(doc, entry, column, way < 46);
	entry->end = doc->text.len;
}

static void add_entry(struct doc *doc, enum certs_kind kind, const char *authority,
		      const char *name, size_t *fixed, size_t column)
{
	struct doc_entry *entry = &doc->entries[doc->count++];

	*entry = (struct doc_entry){.kind = kind, .authority = authority, .name = name};
	entry->fixed = *fixed;
	add_name(doc, name);
	buf_adds(&doc->text, chance(doc, 80) || doc->flow ? ": " : ":   ");
	add_value(doc, entry, column);
	*fixed = doc->text.len;
}

/* The members of a mapping are opened and closed alike in both contexts. */
static void open_member(struct doc *doc, bool first, size_t column)
{
	if (doc->flow) {
		buf_adds(&doc->text, first ? "" : chance(doc, 20) ? " , " : ",");
		if (chance(doc, 30))
			eol(doc);
		buf_addc(&doc->text, ' ');
		return;
	}
	add_between(doc, column);
	spaces(doc, column);
}

static void close_line(struct doc *doc)
{
	if (doc->flow)
		return;
	if (!doc->entries[doc->count - 1].block)
		add_rest(doc);
	eol(doc);
}

static void open_mapping(struct doc *doc)
{
	buf_addc(&doc->text, ':');
	if (doc->flow) {
		buf_adds(&doc->text, " {");
		return;
	}
	add_rest(doc);
	eol(doc);
	doc->keeps = false;
}

static void add_root(struct doc *doc, bool keys, size_t *fixed)
{
	size_t step = 1 + doc_random(doc, 4);
	size_t first = doc_random(doc, AUTHORITIES);
	size_t count = 1 + doc_random(doc, 2);

	buf_adds(&doc->text, keys ? KEYS_ROOT : CERTS_ROOT);
	open_mapping(doc);
	for (size_t i = 0; i < count; i++) {
		const char *authority = authorities[(first + i) % AUTHORITIES];
		size_t name = doc_random(doc, NAMES);
		size_t entries = 1 + doc_random(doc, 4);

		open_member(doc, i == 0, step);
		add_name(doc, authority);
		open_mapping(doc);
		for (size_t n = 0; n < entries; n++) {
			open_member(doc, n == 0, 2 * step);
			if (!keys && n == 1)
				add_entry(doc, CERTS_CHAIN, authority, CHAIN_NAME, fixed, 2 * step);
			else
				add_entry(doc, keys ? CERTS_KEY : CERTS_LEAF, authority,
					  names[(name + n) % NAMES], fixed, 2 * step);
			close_line(doc);
		}
		if (doc->flow)
			buf_adds(&doc->text, chance(doc, 20) ? ", }" : "}");
	}
	if (doc->flow) {
		buf_addc(&doc->text, '}');
		add_rest(doc);
		eol(doc);
	}
}

static void add_other(struct doc *doc, unsigned number)
{
	static const char *const texts[] = {
		"{a: [1, 'ß'], b: \"x\\ty\"}", "&anchor%u {x: 1}", "~", "", "| # c",
		"!unsafe \"{{ x }}\"",	       "[a, {b: c}]",
	};
	size_t which = doc_random(doc, sizeof(texts) / sizeof(texts[0]));

	add_between(doc, 0);
	buf_addf(&doc->text, "other_%u: ", number);
	if (which == 1)
		buf_addf(&doc->text, "&anchor%u {x: 1}", number);
	else
		buf_adds(&doc->text, texts[which]);
	eol(doc);
	doc->keeps = false;
	if (which == 1) {
		buf_addf(&doc->text, "alias_%u:", number);
		eol(doc);
		buf_addf(&doc->text, "  <<: *anchor%u", number);
		eol(doc);
	} else if (which == 4) {
		buf_adds(&doc->text, "   täxt");
		eol(doc);
	}
}

/* Some files end without a line end, and a block at their end with them. */
static void cut_line_end(struct doc *doc, size_t fixed)
{
	struct doc_entry *last = &doc->entries[doc->count - 1];
	size_t len = strlen(last->value);

	if (doc->flow || doc->text.len != fixed + strlen(doc->eol) ||
	    doc->text.data[fixed - 1] == '\n' || chance(doc, 30))
		return;
	doc->text.len = fixed;
	doc->text.data[fixed] = '\0';
	doc->open_end = true;
	if (last->block && len && last->value[len - 1] == '\n')
		last->value[len - 1] = '\0';
}

void doc_make(struct doc *doc, uint64_t seed)
{
	size_t fixed = 0;
	bool keys_first;

	*doc = (struct doc){.random = seed};
	buf_init(&doc->text, BUF_TEXT_MAX);
	doc->eol = chance(doc, 25) ? "\r\n" : "\n";
	doc->flow = chance(doc, 25);
	if (chance(doc, 15))
		buf_adds(&doc->text, "\xef\xbb\xbf");
	if (chance(doc, 40)) {
		buf_adds(&doc->text, "---");
		add_rest(doc);
		eol(doc);
	}
	add_between(doc, 0);
	if (chance(doc, 50))
		add_other(doc, 1);
	keys_first = chance(doc, 30);
	add_root(doc, keys_first, &fixed);
	if (chance(doc, 50))
		add_other(doc, 2);
	if (chance(doc, 50)) {
		add_between(doc, 0);
		add_root(doc, !keys_first, &fixed);
	}
	if (chance(doc, 50))
		add_other(doc, 3);
	add_between(doc, 0);
	cut_line_end(doc, fixed);
}

void doc_release(struct doc *doc)
{
	buf_release(&doc->text);
}
