/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "inventory/certs_doc.h"

#define SCRATCH_EXTRA ((size_t)64 << 20) /* beside what grows with the texts */

char *edit_path(enum certs_kind kind, const char *authority, const char *name)
{
	/* A control character between them: names may have dots. */
	return str_fmt("%s\x1f%s\x1f%s", certs_root_name(kind), authority,
		       kind == CERTS_CHAIN ? CHAIN_NAME : name);
}

static int change_err(const struct edit *edit, const struct certs_change *change, int code,
		      struct err *err, const char *what)
{
	return err_set(err, code, "%s: %s.%s.%s: %s", yaml_name(edit->certs->yaml),
		       certs_root_name(change->kind), change->authority,
		       change->kind == CERTS_CHAIN ? CHAIN_NAME : change->name, what);
}

int edit_piece(struct edit *edit, size_t start, size_t end, size_t at, size_t order,
	       struct err *err)
{
	if (edit->list_count == edit->list_cap) {
		size_t cap = edit->list_cap ? edit->list_cap * 2 : 64;
		struct piece *list = realloc(edit->list, cap * sizeof(*list));

		if (!list)
			return err_nomem(err);
		edit->list = list;
		edit->list_cap = cap;
	}
	edit->list[edit->list_count++] = (struct piece){
		.start = start,
		.end = end,
		.at = at,
		.len = edit->pieces.len - at,
		.order = order,
	};
	return 0;
}

const struct certs_change *edit_change(const struct edit *edit, const struct yaml_node *member)
{
	uint32_t entry = edit->certs->entry_of[member->id];
	uint32_t change = entry ? edit->change_of[entry - 1] : 0;

	return change ? &edit->changes[change - 1] : NULL;
}

bool edit_removes(const struct edit *edit, const struct yaml_node *member)
{
	const struct certs_change *change = edit_change(edit, member);

	return change && change->verb == CERTS_REMOVE;
}

/* Blank lines behind a removed entry would join a block before it that keeps its line ends. */
static size_t skip_blank_lines(const struct edit *edit, const struct yaml_node *member, size_t end)
{
	const struct certs *certs = edit->certs;
	const struct yaml_node *before = edit->kept;
	char indicators[8];

	if (!before || before->parent != member->parent || !is_block(before))
		return end;
	(void)block_indicators(certs->text, certs->len, before, indicators);
	while (strchr(indicators, '+') && end < certs->len) {
		size_t next = text_next_line(certs->text, end, certs->len);

		if (end + text_span(certs->text, end, next, " ") <
		    text_line_end(certs->text, end, next))
			break;
		end = next;
	}
	return end;
}

static int remove_block(struct edit *edit, const struct yaml_node *member, struct err *err)
{
	const struct certs *certs = edit->certs;
	size_t start = text_line_start(certs->text, member->key->start);
	size_t end = text_next_line(certs->text, member->end, certs->len);

	if (start + text_span(certs->text, start, member->key->start, " ?") < member->key->start)
		return yaml_err(certs->yaml, member, ERR_FAIL, err,
				"can't be removed: something else stands in its line");
	end = skip_blank_lines(edit, member, end);
	return edit_piece(edit, start, end, edit->pieces.len, 0, err);
}

/* Behind the comma after a member of {}, or the member's end where none follows. */
static size_t behind_comma(const struct certs *certs, size_t at)
{
	const char *text = certs->text;
	size_t end = at;

	for (;;) {
		at += text_span(text, at, certs->len, " \t\r\n");
		if (at == certs->len || text[at] != '#')
			break;
		at = text_next_line(text, at, certs->len);
	}
	if (at == certs->len || text[at] != ',')
		return end;
	at++;
	return at + text_span(text, at, certs->len, " ");
}

static int remove_entry(struct edit *edit, const struct certs_entry *entry, struct err *err)
{
	const struct yaml_node *node = entry->node;

	if (certs_editable(edit->certs, entry, err))
		return ERR_FAIL;
	if (!node->in_flow)
		return remove_block(edit, node, err);
	return edit_piece(edit, node->key->start, behind_comma(edit->certs, node->end),
			  edit->pieces.len, 0, err);
}

static int check_text(const struct edit *edit, const struct certs_change *change, struct err *err)
{
	if (!change->text || !text_is_utf8(change->text, change->len))
		return change_err(edit, change, ERR_FAIL, err, "the new text is not UTF-8");
	if (!change->vault && text_has_template(change->text, change->len))
		return change_err(edit, change, ERR_FAIL, err, "the new text holds a template");
	return 0;
}

static int note_insert(struct edit *edit, size_t index, const struct certs_entry *entry,
		       struct err *err)
{
	const struct certs_change *change = &edit->changes[index];
	const char *name = change->kind == CERTS_CHAIN ? CHAIN_NAME : change->name;
	char *path;
	size_t twin;
	int rc;

	if (entry)
		return change_err(edit, change, ERR_FAIL, err, "is there already");
	if (!*name || !*change->authority || !strcmp(name, "<<") ||
	    !strcmp(change->authority, "<<") || !text_is_utf8(name, strlen(name)) ||
	    !text_is_utf8(change->authority, strlen(change->authority)) ||
	    (change->kind == CERTS_LEAF && !strcmp(name, CHAIN_NAME)))
		return change_err(edit, change, ERR_FAIL, err, "is no name for an entry");
	path = edit_path(change->kind, change->authority, name);
	if (!path)
		return err_nomem(err);
	if (strmap_get(&edit->inserts, path, &twin))
		rc = change_err(edit, change, ERR_FAIL, err, "is to be changed twice");
	else
		rc = strmap_put(&edit->inserts, path, index, err);
	free(path);
	return rc;
}

/* First all changes are looked at, so that an insertion knows what is removed around it. */
static int note_change(struct edit *edit, size_t index, struct err *err)
{
	const struct certs_change *change = &edit->changes[index];
	const struct certs_entry *entry = certs_find(edit->certs, change->kind, change->authority,
						     change->name);
	uint32_t *slot;

	if (change->verb != CERTS_REMOVE && check_text(edit, change, err))
		return ERR_FAIL;
	if (change->verb == CERTS_INSERT)
		return note_insert(edit, index, entry, err);
	if (!entry)
		return change_err(edit, change, ERR_NOENT, err, "there is no such entry");
	slot = &edit->change_of[entry - edit->certs->entries];
	if (*slot)
		return change_err(edit, change, ERR_FAIL, err, "is to be changed twice");
	*slot = (uint32_t)index + 1;
	return 0;
}

static bool holds_already(const struct certs_entry *entry, const struct certs_change *change)
{
	if (!certs_same(entry->value, entry->len, change->text, change->len) ||
	    entry->vault != change->vault)
		return false;
	return change->verb == CERTS_SET || !change->raw ||
	       (change->raw_len == entry->raw_len &&
		!memcmp(change->raw, entry->raw, entry->raw_len));
}

static int make_pieces(struct edit *edit, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < edit->count && !rc; i++)
		rc = note_change(edit, i, err);
	for (size_t i = 0; i < edit->certs->count && !rc; i++) {
		const struct certs_entry *entry = &edit->certs->entries[i];
		const struct certs_change *change = edit_change(edit, entry->node);

		if (!change || change->verb != CERTS_REMOVE)
			edit->kept = entry->node;
		if (!change)
			continue;
		if (change->verb == CERTS_REMOVE)
			rc = remove_entry(edit, entry, err);
		else if (!holds_already(entry, change))
			rc = edit_set(edit, entry, change, err);
	}
	return rc ? rc : edit_inserts(edit, err);
}

/* The pieces no longer move: their offsets become pointers. */
static int apply(struct secret *out, struct edit *edit, struct err *err)
{
	struct replacement *list = calloc(edit->list_count + 1, sizeof(*list));
	struct secret_buf buf;
	int rc;

	if (!list)
		return err_nomem(err);
	for (size_t i = 0; i < edit->list_count; i++) {
		const struct piece *piece = &edit->list[i];

		list[i] = (struct replacement){
			.start = piece->start,
			.end = piece->end,
			.data = piece->len ? edit->pieces.data + piece->at : "",
			.len = piece->len,
			.order = piece->order,
		};
	}
	secret_buf_init(&buf, edit->scratch);
	rc = splice_secret(&buf, edit->certs->text, edit->certs->len, list, edit->list_count, err);
	if (!rc)
		rc = secret_buf_done(out, &buf, "the changed text", err);
	else if (!buf.failed)
		(void)err_prefix(err, "%s", yaml_name(edit->certs->yaml));
	free(list);
	return rc;
}

static size_t scratch_size(const struct certs *certs, const struct certs_change *changes,
			   size_t count)
{
	size_t size = certs->len;

	for (size_t i = 0; i < count; i++)
		size += changes[i].len + (changes[i].raw ? changes[i].raw_len : 0) + 1024;
	return size > (SIZE_MAX - SCRATCH_EXTRA) / 16 ? SIZE_MAX : size * 16 + SCRATCH_EXTRA;
}

/* The result stays in the scratch arena, which the caller frees in every case. */
static int produce(struct secret *out, struct edit *edit, struct err *err)
{
	int rc;

	edit->scratch = arena_new(scratch_size(edit->certs, edit->changes, edit->count));
	edit->change_of = calloc(edit->certs->count + 1, sizeof(*edit->change_of));
	if (!edit->scratch || !edit->change_of)
		return err_nomem(err);
	secret_buf_init(&edit->pieces, edit->scratch);
	rc = make_pieces(edit, err);
	if (!rc && edit->pieces.failed)
		rc = err_nomem(err);
	if (!rc)
		rc = apply(out, edit, err);
	if (!rc)
		rc = edit_verify(edit, out, err);
	return rc;
}

static void release(struct edit *edit)
{
	strmap_release(&edit->inserts);
	free(edit->list);
	free(edit->change_of);
	arena_free(edit->scratch);
}

int certs_edit(struct buf *out, const struct certs *certs, const struct certs_change *changes,
	       size_t count, struct err *err)
{
	struct edit edit = {.certs = certs, .changes = changes, .count = count};
	struct secret result = {0};
	int rc = produce(&result, &edit, err);

	if (!rc) {
		buf_add(out, result.data, result.len);
		rc = buf_check(out, yaml_name(certs->yaml), err);
	}
	release(&edit);
	return rc;
}

int certs_edit_secret(struct secret_buf *out, const struct certs *certs,
		      const struct certs_change *changes, size_t count, struct err *err)
{
	struct edit edit = {.certs = certs, .changes = changes, .count = count};
	struct secret result = {0};
	int rc = produce(&result, &edit, err);

	if (!rc) {
		secret_buf_add(out, result.data, result.len);
		rc = out->failed ? err_nomem(err) : 0;
	}
	release(&edit);
	return rc;
}
