/* SPDX-License-Identifier: PostgreSQL */
/* New entries: where they go, and the authorities and roots that have to be made for them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/certs_doc.h"

#define NONE SIZE_MAX

/* The new entries of one authority. */
struct group {
	enum certs_kind kind; /* of the first: tells the root */
	const char *authority;
	const struct yaml_node *node; /* the authority's, or NULL where it is not there */
	const struct certs_entry *model;
	size_t first; /* change, and on by next[] */
	size_t last;
};

struct inserts {
	struct edit *edit;
	struct group *groups;
	size_t count;
	size_t *next;	     /* by change */
	size_t entry_pieces; /* pieces that were there before */
	bool line_closed;    /* the file's last line got the line end that it lacked */
};

/* What is put into one container: entries, authorities, or roots. */
enum level { LEVEL_ENTRIES, LEVEL_AUTHORITIES, LEVEL_ROOTS };

struct load {
	enum level level;
	const struct group *group; /* LEVEL_ENTRIES */
	bool keys;		   /* LEVEL_AUTHORITIES: below private_keys */
	bool missing[2];	   /* LEVEL_ROOTS: certs, private_keys */
};

struct place {
	size_t start; /* the bytes that give way */
	size_t end;
	size_t column;
	bool flow;
	bool comma;   /* a member stands before it in {} */
	bool braces;  /* {} have to be put around */
	bool newline; /* the line before lacks its end */
};

static const struct certs_entry *any_model(const struct certs *certs, bool keys)
{
	for (size_t i = 0; i < certs->count; i++) {
		if ((certs->entries[i].kind == CERTS_KEY) == keys)
			return &certs->entries[i];
	}
	return certs->count ? &certs->entries[0] : NULL;
}

static const struct yaml_node *last_kept(const struct edit *edit, const struct yaml_node *container)
{
	const struct yaml_node *kept = NULL;

	for (const struct yaml_node *at = container->first; at; at = at->next) {
		if (!edit_removes(edit, at))
			kept = at;
	}
	return kept;
}

static void set_group_nodes(const struct edit *edit, struct group *group)
{
	const struct certs *certs = edit->certs;
	const struct yaml_node *member;

	group->node = yaml_at(certs->yaml, yaml_root(certs->yaml), certs_root_name(group->kind),
			      group->authority, NULL);
	member = group->node ? last_kept(edit, group->node) : NULL;
	if (!member && group->node)
		member = group->node->last;
	group->model = member ? &certs->entries[certs->entry_of[member->id] - 1]
			      : any_model(certs, group->kind == CERTS_KEY);
}

static int add_to_group(struct inserts *ins, struct strmap *map, size_t index, struct err *err)
{
	const struct certs_change *change = &ins->edit->changes[index];
	char *path = edit_path(change->kind, change->authority, "");
	struct group *group;
	size_t at = 0;
	int rc = 0;

	if (!path)
		return err_nomem(err);
	*strrchr(path, '\x1f') = '\0';
	ins->next[index] = NONE;
	if (strmap_get(map, path, &at)) {
		group = &ins->groups[at];
		ins->next[group->last] = index;
		group->last = index;
	} else {
		ins->groups[ins->count] = (struct group){.kind = change->kind,
							 .authority = change->authority,
							 .first = index,
							 .last = index};
		set_group_nodes(ins->edit, &ins->groups[ins->count]);
		rc = strmap_put(map, path, ins->count++, err);
	}
	free(path);
	return rc;
}

static int make_groups(struct inserts *ins, struct err *err)
{
	struct strmap map = STRMAP_INIT;
	int rc = 0;

	for (size_t i = 0; i < ins->edit->count && !rc; i++) {
		if (ins->edit->changes[i].verb == CERTS_INSERT)
			rc = add_to_group(ins, &map, i, err);
	}
	strmap_release(&map);
	return rc;
}

/* The step from an authority's column to its entries', as the file has it. */
static size_t step_of(const struct certs *certs)
{
	const struct yaml_node *node = certs->count ? certs->entries[0].node : NULL;

	if (!node || node->in_flow || node->key->column <= node->parent->key->column)
		return INDENT_STEP;
	return node->key->column - node->parent->key->column;
}

static enum yaml_style key_style(const struct yaml_node *member)
{
	return member && member->key ? member->key->style : YAML_STYLE_PLAIN;
}

static void form_of_new(struct form *form, const struct certs *certs,
			const struct certs_entry *model, const struct place *place, bool vault,
			const char *eol)
{
	const struct yaml_node *node = model && !model->node->in_flow ? model->node : NULL;

	*form = (struct form){.eol = eol, .rest = "", .newlines = 1};
	form->properties = vault ? "!vault " : "";
	form->properties_len = strlen(form->properties);
	form->literal = !place->flow && (vault || !node || node->style != YAML_STYLE_DOUBLE);
	form->indent = place->column + (node ? block_offset(certs, node) : INDENT_STEP);
	if (node && is_block(node)) {
		(void)block_indicators(certs->text, certs->len, node, form->indicators);
		if (strchr(form->indicators, '-'))
			form->newlines = 0;
	} else if (model && model->style == YAML_STYLE_DOUBLE && model->len &&
		   !count_newlines(model->value, model->len)) {
		form->newlines = 0;
		(void)snprintf(form->indicators, sizeof(form->indicators), "-");
	}
}

static int add_entry(struct inserts *ins, const struct group *group, size_t index,
		     const struct place *place, const char *eol, struct err *err)
{
	struct edit *edit = ins->edit;
	const struct certs_change *change = &edit->changes[index];
	bool chain = change->kind == CERTS_CHAIN;
	bool done = false;
	struct form form;

	add_key(&edit->pieces, chain ? CHAIN_NAME : change->name,
		key_style(group->model ? group->model->node : group->node));
	add_text(&edit->pieces, ": ");
	if (change->raw) {
		struct raw_place at = {.column = place->column, .in_flow = place->flow, .rest = ""};

		if (add_raw(edit, change, &at, &done, err))
			return ERR_FAIL;
	}
	if (done)
		return 0;
	form_of_new(&form, edit->certs, group->model, place, change->vault, eol);
	add_value(&edit->pieces, &form, change->text, change->len);
	return 0;
}

static int add_members(struct inserts *ins, const struct load *load, const struct place *place,
		       const char *eol, struct err *err);

/* What stands before a member: a comma, or its indentation. */
static void open_member(struct edit *edit, const struct place *place, bool first)
{
	if (!place->flow)
		add_spaces(&edit->pieces, place->column);
	else if (!first || place->comma)
		add_text(&edit->pieces, ", ");
}

/* A new key with members below it. */
static int add_container(struct inserts *ins, const char *key, enum yaml_style style,
			 const struct load *load, const struct place *place, const char *eol,
			 struct err *err)
{
	struct edit *edit = ins->edit;
	struct place inner = {.flow = place->flow, .column = place->column + step_of(edit->certs)};
	int rc;

	add_key(&edit->pieces, key, style);
	add_text(&edit->pieces, place->flow ? ": {" : ":");
	if (!place->flow)
		add_text(&edit->pieces, eol);
	rc = add_members(ins, load, &inner, eol, err);
	if (place->flow)
		add_text(&edit->pieces, "}");
	return rc;
}

static int add_entries(struct inserts *ins, const struct load *load, const struct place *place,
		       const char *eol, struct err *err)
{
	const struct group *group = load->group;

	for (size_t i = group->first; i != NONE; i = ins->next[i]) {
		open_member(ins->edit, place, i == group->first);
		if (add_entry(ins, group, i, place, eol, err))
			return ERR_FAIL;
		if (!place->flow)
			add_text(&ins->edit->pieces, eol);
	}
	return 0;
}

static int add_authorities(struct inserts *ins, const struct load *load, const struct place *place,
			   const char *eol, struct err *err)
{
	const struct yaml *yaml = ins->edit->certs->yaml;
	const struct yaml_node *root = yaml_get(yaml, yaml_root(yaml),
						load->keys ? KEYS_ROOT : CERTS_ROOT);
	bool first = true;

	for (size_t i = 0; i < ins->count; i++) {
		const struct group *group = &ins->groups[i];
		const struct load inner = {.level = LEVEL_ENTRIES, .group = group};

		if (group->node || (group->kind == CERTS_KEY) != load->keys)
			continue;
		open_member(ins->edit, place, first);
		if (add_container(ins, group->authority,
				  key_style(group->model ? group->model->node->parent : root),
				  &inner, place, eol, err))
			return ERR_FAIL;
		first = false;
	}
	return 0;
}

static int add_roots(struct inserts *ins, const struct load *load, const struct place *place,
		     const char *eol, struct err *err)
{
	const struct certs_entry *model = any_model(ins->edit->certs, false);
	bool first = true;

	for (int keys = 0; keys < 2; keys++) {
		const struct load inner = {.level = LEVEL_AUTHORITIES, .keys = keys == 1};

		if (!load->missing[keys])
			continue;
		open_member(ins->edit, place, first);
		if (add_container(ins, keys ? KEYS_ROOT : CERTS_ROOT,
				  key_style(model ? model->node->parent->parent : NULL), &inner,
				  place, eol, err))
			return ERR_FAIL;
		first = false;
	}
	return 0;
}

static int add_members(struct inserts *ins, const struct load *load, const struct place *place,
		       const char *eol, struct err *err)
{
	switch (load->level) {
	case LEVEL_ENTRIES:
		return add_entries(ins, load, place, eol, err);
	case LEVEL_AUTHORITIES:
		return add_authorities(ins, load, place, eol, err);
	case LEVEL_ROOTS:
		return add_roots(ins, load, place, eol, err);
	default:
		return ERR_FAIL;
	}
}

/* The byte order mark that a text begins with is no part of its first line. */
static size_t mark_len(const struct certs *certs)
{
	return certs->len >= 3 && !memcmp(certs->text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

static size_t line_start_of(const struct certs *certs, const struct yaml_node *member)
{
	size_t at = text_line_start(certs->text, member->key->start);

	return at ? at : mark_len(certs);
}

/* Behind the line in which a node ends. */
static void place_behind(struct place *place, const struct certs *certs, size_t end)
{
	size_t at = text_next_line(certs->text, end, certs->len);

	place->start = place->end = at;
	place->newline = at > mark_len(certs) && !text_span(certs->text, at - 1, at, "\r\n");
}

/* A block scalar that ends the file without a line end would get one by an entry behind it. */
static bool ends_open(const struct certs *certs, const struct yaml_node *member)
{
	char indicators[8];

	if (member->end != certs->len)
		return false;
	while (member->kind != YAML_KIND_SCALAR && member->last)
		member = member->last;
	if (!is_block(member))
		return false;
	(void)block_indicators(certs->text, certs->len, member, indicators);
	return !strchr(indicators, '-');
}

static void place_in_mapping(struct place *place, const struct edit *edit,
			     const struct yaml_node *container)
{
	const struct certs *certs = edit->certs;
	const struct yaml_node *kept = last_kept(edit, container);
	const struct yaml_node *before = container->first; /* goes before its line */

	place->flow = container->style == YAML_STYLE_FLOW;
	if (place->flow) {
		place->start = place->end = kept ? kept->end : container->content + 1;
		place->comma = kept != NULL;
		return;
	}
	place->column = container->first->key->column;
	if (kept && ends_open(certs, kept))
		before = kept;
	else if (kept)
		before = NULL;
	if (before)
		place->start = place->end = line_start_of(certs, before);
	else
		place_behind(place, certs, kept->end);
}

/* In the place of a null. */
static int place_in_null(struct place *place, struct edit *edit, const struct yaml_node *container,
			 struct err *err)
{
	const struct yaml_node *parent;

	if (container->tag)
		return yaml_err(edit->certs->yaml, container, ERR_FAIL, err,
				"can't be changed: its tag is %s", container->tag);
	if (container->in_flow) {
		place->flow = place->braces = true;
		place->start = container->start;
		place->end = container->end;
		return 0;
	}
	parent = container->parent;
	if (container->start < container->end && /* "~" */
	    edit_piece(edit, container->start, container->end, edit->pieces.len, 0, err))
		return ERR_FAIL;
	place->column = container->key->column +
			(parent && parent->key ? container->key->column - parent->key->column
					       : step_of(edit->certs));
	place_behind(place, edit->certs, container->end);
	return 0;
}

static int find_place(struct place *place, struct edit *edit, const struct yaml_node *container,
		      struct err *err)
{
	const struct certs *certs = edit->certs;

	if (!container || (!container->parent && container->kind == YAML_KIND_SCALAR)) {
		size_t at = container ? container->start : certs->len;

		place_behind(place, certs, certs->len);
		place->start = place->end = at;
		if (at < certs->len)
			place->newline = at > mark_len(certs) &&
					 !text_span(certs->text, at - 1, at, "\r\n");
		return 0;
	}
	if (certs_refuse_anchors(certs, container, err))
		return ERR_FAIL;
	if (container->kind != YAML_KIND_MAPPING)
		return place_in_null(place, edit, container, err);
	place_in_mapping(place, edit, container);
	return 0;
}

/*
 * An entry that goes may take blank lines behind it along: a place among them moves behind. A last
 * line without its end that goes needs none. The pieces so far are those of entries, in the order
 * of the file.
 */
static void leave_removed(struct place *place, const struct edit *edit, size_t pieces)
{
	size_t low = 0, high = pieces;

	while (low < high) { /* the first piece that does not end before the place */
		size_t middle = low + (high - low) / 2;

		if (edit->list[middle].end >= place->start)
			high = middle;
		else
			low = middle + 1;
	}
	if (low == pieces || place->flow || edit->list[low].start >= place->start ||
	    edit->list[low].len ||
	    text_line_start(edit->certs->text, edit->list[low].start) != edit->list[low].start)
		return;
	place->start = place->end = edit->list[low].end;
	place->newline = false;
}

static int put(struct inserts *ins, const struct load *load, const struct yaml_node *container,
	       struct err *err)
{
	struct edit *edit = ins->edit;
	const struct certs *certs = edit->certs;
	const char *eol = text_eol(certs->text, container ? container->start : 0, certs->len);
	struct place place = {0};
	size_t at;

	if (find_place(&place, edit, container, err))
		return ERR_FAIL;
	leave_removed(&place, edit, ins->entry_pieces);
	at = edit->pieces.len;
	if (place.newline && !ins->line_closed) {
		add_text(&edit->pieces, eol);
		ins->line_closed = place.start == certs->len;
	}
	if (place.braces) {
		if (add_gap(edit, container, err))
			return ERR_FAIL;
		add_text(&edit->pieces, "{");
	}
	if (add_members(ins, load, &place, eol, err))
		return ERR_FAIL;
	if (place.braces)
		add_text(&edit->pieces, "}");
	return edit_piece(edit, place.start, place.end, at, load->level, err);
}

static bool lacks_authority(const struct inserts *ins, bool keys)
{
	for (size_t i = 0; i < ins->count; i++) {
		if (!ins->groups[i].node && (ins->groups[i].kind == CERTS_KEY) == keys)
			return true;
	}
	return false;
}

/* From the inside out: what comes later at the same byte stands behind. */
static int put_all(struct inserts *ins, struct err *err)
{
	const struct yaml *yaml = ins->edit->certs->yaml;
	struct load roots = {.level = LEVEL_ROOTS};
	int rc = 0;

	for (size_t i = 0; i < ins->count && !rc; i++) {
		const struct load load = {.level = LEVEL_ENTRIES, .group = &ins->groups[i]};

		if (!ins->groups[i].node)
			continue;
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the caller frees the groups */
		rc = put(ins, &load, ins->groups[i].node, err);
	}
	for (int keys = 0; keys < 2 && !rc; keys++) {
		const struct load load = {.level = LEVEL_AUTHORITIES, .keys = keys == 1};
		const struct yaml_node *root = yaml_get(yaml, yaml_root(yaml),
							keys ? KEYS_ROOT : CERTS_ROOT);

		if (!lacks_authority(ins, keys == 1))
			continue;
		if (root)
			rc = put(ins, &load, root, err);
		else
			roots.missing[keys] = true;
	}
	if (!rc && (roots.missing[0] || roots.missing[1]))
		rc = put(ins, &roots, yaml_root(yaml), err);
	return rc;
}

int edit_inserts(struct edit *edit, struct err *err)
{
	struct inserts ins = {.edit = edit, .entry_pieces = edit->list_count};
	size_t count = edit->inserts.count;
	int rc;

	if (!count)
		return 0;
	ins.groups = calloc(count, sizeof(*ins.groups));
	ins.next = calloc(edit->count, sizeof(*ins.next));
	rc = ins.groups && ins.next ? make_groups(&ins, err) : err_nomem(err);
	if (!rc)
		rc = put_all(&ins, err);
	free(ins.groups);
	free(ins.next);
	return rc;
}
