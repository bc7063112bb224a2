/* SPDX-License-Identifier: PostgreSQL */
/*
 * Edits of any text. A result that is returned holds what was asked for; where values are set,
 * every byte outside them is as it was; and what is set and put back gives the same bytes.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/certs.h"

#define NEW "-----BEGIN-----\nAa+/=\n-----END-----\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct slice {
	const char *data;
	size_t len;
};

/* Edits, and looks whether every change is in the result, which is opened for the caller. */
static struct certs *edit(struct buf *out, const struct certs *certs,
			  const struct certs_change *changes, size_t count)
{
	struct certs *after = NULL;
	struct err err = {0};

	if (certs_edit(out, certs, changes, count, &err)) {
		if (out->len || !err.msg[0])
			abort();
		return NULL;
	}
	if (certs_open(&after, out->data, out->len, "after", NULL, &err))
		abort();
	for (size_t i = 0; i < count; i++) {
		const struct certs_change *change = &changes[i];
		const struct certs_entry *entry = certs_find(after, change->kind, change->authority,
							     change->name);

		if ((change->verb == CERTS_REMOVE) != !entry)
			abort();
		if (entry && (entry->vault != change->vault ||
			      !certs_same(entry->value, entry->len, change->text, change->len)))
			abort();
	}
	return after;
}

static int by_place(const void *a, const void *b)
{
	const struct certs_entry *const *left = a, *const *right = b;

	return ((*left)->node->start > (*right)->node->start) -
	       ((*left)->node->start < (*right)->node->start);
}

/* The entries that the changes name, in the order of the text. */
static const struct certs_entry **entries_of(const struct certs *certs,
					     const struct certs_change *changes, size_t count)
{
	const struct certs_entry **entries = calloc(count + 1, sizeof(const struct certs_entry *));

	if (!entries)
		abort();
	for (size_t i = 0; i < count; i++) {
		entries[i] = certs_find(certs, changes[i].kind, changes[i].authority,
					changes[i].name);
		if (!entries[i])
			abort();
	}
	qsort(entries, count, sizeof(const struct certs_entry *), by_place);
	return entries;
}

static bool is_among(const struct certs_entry *entry, const struct certs_entry *const *entries,
		     size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (entries[i] == entry)
			return true;
	}
	return false;
}

/* What stands between two changed values: a value that was empty gets a blank or a line end. */
static void must_be_same_bytes(struct slice before, struct slice after, bool at_end)
{
	while (before.len && strchr(" \t", before.data[before.len - 1]))
		before.len--;
	while (after.len && strchr(" \t", after.data[after.len - 1]))
		after.len--;
	if (at_end && after.len == before.len + 1 && after.data[0] == '\n')
		return;
	if (before.len != after.len || memcmp(before.data, after.data, before.len) != 0)
		abort();
}

static bool is_block_style(const struct certs_entry *entry)
{
	return entry->style == YAML_STYLE_LITERAL || entry->style == YAML_STYLE_FOLDED;
}

/* Where the text behind a value begins. One that became a block took the line's comment along. */
static size_t behind(const struct certs_entry *old, const struct certs_entry *now,
		     struct slice old_text)
{
	size_t at = old->node->end, end;

	if (is_block_style(old) || !is_block_style(now))
		return at;
	for (end = at; end < old_text.len && !strchr("\r\n", old_text.data[end]); end++)
		;
	while (at < end && strchr(" \t", old_text.data[at]))
		at++;
	if (at < end && (old_text.data[at] != '#' ||
			 !memmem(now->raw, now->raw_len, old_text.data + at, end - at)))
		abort();
	return end;
}

/* Only the targets changed: the bytes between them, and every other entry. */
static void check_rest(const struct certs *before, struct slice before_text,
		       const struct certs *after, struct slice after_text,
		       const struct certs_change *changes, size_t count)
{
	const struct certs_entry **old = entries_of(before, changes, count);
	const struct certs_entry **now = entries_of(after, changes, count);
	size_t old_at = 0, now_at = 0;

	for (size_t i = 0; i <= count; i++) {
		size_t old_end = i < count ? old[i]->node->start : before_text.len;
		size_t now_end = i < count ? now[i]->node->start : after_text.len;

		must_be_same_bytes((struct slice){before_text.data + old_at, old_end - old_at},
				   (struct slice){after_text.data + now_at, now_end - now_at},
				   i == count);
		if (i == count)
			break;
		old_at = behind(old[i], now[i], before_text);
		now_at = now[i]->node->end;
	}
	if (certs_count(before) != certs_count(after))
		abort();
	for (size_t i = 0; i < certs_count(before); i++) {
		const struct certs_entry *a = certs_at(before, i), *b = certs_at(after, i);

		if (a->kind != b->kind || strcmp(a->authority, b->authority) != 0 ||
		    strcmp(a->name, b->name) != 0)
			abort();
		if (!is_among(a, old, count) &&
		    (a->vault != b->vault || a->len != b->len ||
		     memcmp(a->value, b->value, a->len) != 0 || a->raw_len != b->raw_len ||
		     memcmp(a->raw, b->raw, a->raw_len) != 0))
			abort();
	}
	free(old);
	free(now);
}

/* Sets values, and puts them back. */
static void set_and_restore(const struct certs *certs, struct slice text,
			    const struct certs_change *wanted, size_t count)
{
	struct certs_change *changes = calloc(count + 1, sizeof(*changes));
	struct certs *after, *restored = NULL;
	struct buf out, back;

	if (!changes)
		abort();
	memcpy(changes, wanted, count * sizeof(*changes));
	buf_init(&out, BUF_TEXT_MAX);
	buf_init(&back, BUF_TEXT_MAX);
	after = edit(&out, certs, changes, count);
	if (after)
		check_rest(certs, text, after, (struct slice){out.data, out.len}, changes, count);
	for (size_t i = 0; after && i < count; i++) {
		const struct certs_entry *entry = certs_find(certs, changes[i].kind,
							     changes[i].authority, changes[i].name);

		changes[i].verb = CERTS_RESTORE;
		changes[i].text = entry->value;
		changes[i].len = entry->len;
		changes[i].raw = entry->raw;
		changes[i].raw_len = entry->raw_len;
	}
	if (after)
		restored = edit(&back, after, changes, count);
	if (restored)
		check_rest(certs, text, restored, (struct slice){back.data, back.len}, changes,
			   count);
	certs_close(restored);
	certs_close(after);
	buf_release(&out);
	buf_release(&back);
	free(changes);
}

static void remove_and_insert(const struct certs *certs, struct certs_change *changes, size_t count)
{
	struct buf out;

	buf_init(&out, BUF_TEXT_MAX);
	for (size_t i = 0; i < count; i++)
		changes[i].verb = CERTS_REMOVE;
	changes[count] = (struct certs_change){.verb = CERTS_INSERT,
					       .kind = CERTS_LEAF,
					       .authority = "server",
					       .name = "new 1",
					       .text = NEW,
					       .len = sizeof(NEW) - 1};
	changes[count + 1] = changes[count];
	changes[count + 1].kind = CERTS_KEY;
	changes[count + 1].vault = true;
	certs_close(edit(&out, certs, changes, count + 2));
	buf_release(&out);
}

static void run(const struct certs *certs, struct slice text)
{
	size_t count = certs_count(certs), used = 0;
	struct certs_change *changes = calloc(count + 2, sizeof(*changes));

	for (size_t i = 0; changes && i < count; i++) {
		const struct certs_entry *entry = certs_at(certs, i);

		if (certs_editable(certs, entry, NULL))
			continue;
		changes[used++] = (struct certs_change){.verb = CERTS_SET,
							.kind = entry->kind,
							.authority = entry->authority,
							.name = entry->name,
							.text = NEW,
							.len = sizeof(NEW) - 1,
							.vault = entry->vault};
	}
	if (changes) {
		set_and_restore(certs, text, changes, used);
		/* One alone, as the one leaf that is not the inventory's: which one the text says.
		 */
		if (used)
			set_and_restore(certs, text, &changes[text.len % used], 1);
		remove_and_insert(certs, changes, used / 2);
	}
	free(changes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct certs *certs = NULL;
	struct err err = {0};

	if (!text)
		return 0;
	memcpy(text, data, size);
	if (certs_open(&certs, text, size, "f.yml", NULL, &err) == 0)
		run(certs, (struct slice){text, size});
	else if (err.code != ERR_FAIL || certs)
		abort();
	certs_close(certs);
	free(text);
	return 0;
}
