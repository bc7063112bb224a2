/* SPDX-License-Identifier: PostgreSQL */
/* Puts a value's source text back, after a look at what it decodes to in its new place. */
#include <string.h>

#include "inventory/certs_doc.h"

/* A document with the raw text as the value of a key in that place, and another key behind it. */
static int probe_text(struct secret *out, size_t *start, struct edit *edit,
		      const struct certs_change *change, const struct raw_place *place,
		      struct err *err)
{
	struct secret_buf buf;

	secret_buf_init(&buf, edit->scratch);
	if (place->in_flow) {
		add_text(&buf, "{k: ");
	} else {
		add_spaces(&buf, place->column);
		add_text(&buf, change->raw_len ? "k: " : "k:");
	}
	*start = buf.len;
	secret_buf_add(&buf, change->raw, change->raw_len);
	if (place->in_flow) {
		add_text(&buf, ", z: 0}");
	} else {
		add_text(&buf, "\n");
		add_spaces(&buf, place->column);
		add_text(&buf, "z: 0\n");
	}
	return secret_buf_done(out, &buf, "a value", err);
}

/* Whether the node is exactly the raw text, and reads as the change wants it. */
static bool reads_as_wanted(const struct yaml_node *node, size_t start,
			    const struct certs_change *change)
{
	const char *value;
	size_t len;

	if (!node || node->kind != YAML_KIND_SCALAR || node->anchor || node->start != start ||
	    node->end != start + change->raw_len || node_is_vault(node) != change->vault)
		return false;
	value = yaml_is_null(node) ? "" : node->value;
	len = yaml_is_null(node) ? 0 : node->len;
	return certs_same(value, len, change->text, change->len);
}

static void add_found(struct edit *edit, const struct yaml_node *node, const char *text,
		      const struct raw_place *place)
{
	const char *rest = place->rest;
	size_t rest_len = place->rest_len;
	char indicators[8];
	size_t at, line_end;

	if (!is_block(node)) {
		secret_buf_add(&edit->pieces, text + node->start, node->end - node->start);
		secret_buf_add(&edit->pieces, rest, rest_len);
		return;
	}
	at = block_indicators(text, node->end, node, indicators);
	line_end = text_line_end(text, at, node->end);
	if (!place->from_block && !(rest_len && memchr(rest, '#', rest_len))) {
		rest = text + at;
		rest_len = line_end - at;
	}
	secret_buf_add(&edit->pieces, text + node->start, at - node->start);
	secret_buf_add(&edit->pieces, rest, rest_len);
	secret_buf_add(&edit->pieces, text + line_end, node->end - line_end);
}

int add_raw(struct edit *edit, const struct certs_change *change, const struct raw_place *place,
	    bool *done, struct err *err)
{
	struct yaml *yaml = NULL;
	struct secret text = {0};
	const struct yaml_node *root, *node;
	size_t start = 0;

	*done = false;
	if (probe_text(&text, &start, edit, change, place, err))
		return ERR_FAIL;
	if (yaml_parse(&yaml, text.data, text.len, "a value", edit->scratch, NULL))
		return 0; /* what does not parse here is encoded anew */
	root = yaml_root(yaml);
	node = yaml_get(yaml, root, "k");
	if (root->count == 2 && reads_as_wanted(node, start, change)) {
		add_found(edit, node, text.data, place);
		*done = true;
	}
	yaml_drop(yaml);
	return 0;
}
