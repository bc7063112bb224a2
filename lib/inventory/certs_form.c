/* SPDX-License-Identifier: PostgreSQL */
/* How a new text is written where another one stands. */
#include <stdio.h>
#include <string.h>

#include "inventory/certs_doc.h"
#include "inventory/yaml_index.h"

bool is_block(const struct yaml_node *node)
{
	return node->style == YAML_STYLE_LITERAL || node->style == YAML_STYLE_FOLDED;
}

size_t block_indicators(const char *text, size_t len, const struct yaml_node *node, char out[8])
{
	size_t n = text_span(text, node->content + 1, len, "+-0123456789");

	n = n < 7 ? n : 7;
	memcpy(out, text + node->content + 1, n);
	out[n] = '\0';
	return node->content + 1 + n;
}

/* Whether a block scalar shows where its lines begin. */
static bool shows_indent(const struct certs *certs, const struct yaml_node *node)
{
	char indicators[8];
	size_t at = block_indicators(certs->text, certs->len, node, indicators);

	return strpbrk(indicators, "123456789") != NULL ||
	       text_line_end(certs->text, at, node->end) < node->end;
}

static size_t indent_of(const struct certs *certs, const struct yaml_node *node)
{
	return block_indent(certs->yaml, node, node->end);
}

static size_t member_step(const struct yaml_node *container)
{
	const struct yaml_node *member = container->first;

	if (!member || !container->key || container->style != YAML_STYLE_BLOCK ||
	    member->key->column <= container->key->column)
		return INDENT_STEP;
	return member->key->column - container->key->column;
}

size_t block_offset(const struct certs *certs, const struct yaml_node *member)
{
	const struct yaml_node *around[] = {member, member->parent->first, member->parent->last};

	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		if (is_block(around[i]) && shows_indent(certs, around[i]))
			return indent_of(certs, around[i]) - around[i]->key->column;
	}
	return member_step(member->parent);
}

size_t count_newlines(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = text_trimmed(text, len); i < len; i++)
		n += text[i] == '\n';
	return n;
}

/* The line ends at the end of the new value, and the indicators that give them in a block. */
static void set_line_ends(struct form *form, const struct certs_entry *entry,
			  const struct certs_change *change)
{
	bool keeps = is_block(entry->node) || entry->style == YAML_STYLE_DOUBLE;
	size_t wanted = count_newlines(change->text, change->len);

	if (keeps && entry->len) {
		form->newlines = count_newlines(entry->value, entry->len);
		return;
	}
	form->newlines = wanted;
	if (!is_block(entry->node))
		(void)snprintf(form->indicators, sizeof(form->indicators), "%s",
			       wanted == 0   ? "-"
			       : wanted == 1 ? ""
					     : "+");
	else if (strchr(form->indicators, '-'))
		form->newlines = 0;
	else if (!strchr(form->indicators, '+') || !wanted)
		form->newlines = 1;
}

static void set_properties(struct form *form, const struct certs *certs,
			   const struct certs_entry *entry, const struct certs_change *change)
{
	const struct yaml_node *node = entry->node;

	if (entry->vault == change->vault && node->content < node->end) {
		form->properties = certs->text + node->start;
		form->properties_len = node->content - node->start;
	} else {
		form->properties = change->vault ? "!vault " : "";
		form->properties_len = strlen(form->properties);
	}
}

/* The form of a new text; *end is behind what it replaces: the value, and the rest of its line. */
static void form_of(struct form *form, size_t *end, const struct certs *certs,
		    const struct certs_entry *entry, const struct certs_change *change)
{
	const struct yaml_node *node = entry->node;
	size_t rest = node->end;

	*form = (struct form){.eol = text_eol(certs->text, node->start, certs->len)};
	if (is_block(node)) {
		form->literal = true;
		rest = block_indicators(certs->text, certs->len, node, form->indicators);
	} else {
		form->literal = !node->in_flow && node->style != YAML_STYLE_DOUBLE;
	}
	form->rest = certs->text + rest;
	form->rest_len = node->in_flow ? 0 : text_line_end(certs->text, rest, certs->len) - rest;
	*end = is_block(node) ? node->end : node->end + form->rest_len;
	form->indent = node->key->column + block_offset(certs, node);
	set_line_ends(form, entry, change);
	set_properties(form, certs, entry, change);
}

int add_gap(struct edit *edit, const struct yaml_node *node, struct err *err)
{
	const char *text = edit->certs->text;
	size_t at = node->start;

	if (node->start != node->end)
		return 0;
	if (at > 0 && text[at - 1] == ':')
		add_text(&edit->pieces, " ");
	while (at > 0 && (strchr(" \t\r\n", text[at - 1])))
		at--;
	if (at == 0 || text[at - 1] != ':')
		return yaml_err(edit->certs->yaml, node, ERR_FAIL, err,
				"can't be changed: no colon stands behind the key");
	return 0;
}

int edit_set(struct edit *edit, const struct certs_entry *entry, const struct certs_change *change,
	     struct err *err)
{
	const struct yaml_node *node = entry->node;
	size_t at = edit->pieces.len;
	size_t start = node->start;
	struct form form;
	size_t end = 0;
	bool done = false;

	if (certs_editable(edit->certs, entry, err))
		return ERR_FAIL;
	form_of(&form, &end, edit->certs, entry, change);
	if (add_gap(edit, node, err))
		return ERR_FAIL;
	if (change->verb == CERTS_RESTORE && change->raw) {
		struct raw_place place = {.column = node->key->column,
					  .in_flow = node->in_flow,
					  .from_block = is_block(node),
					  .rest = form.rest,
					  .rest_len = form.rest_len};

		if (add_raw(edit, change, &place, &done, err))
			return ERR_FAIL;
	}
	/* A null is put back without the gap that add_gap made for the text before. */
	if (done && !change->raw_len && !node->in_flow && start > 0 &&
	    edit->certs->text[start - 1] == ' ')
		start--;
	if (!done)
		add_value(&edit->pieces, &form, change->text, change->len);
	return edit_piece(edit, start, end, at, 0, err);
}
