/* SPDX-License-Identifier: PostgreSQL */
/*
 * Builds the index from libyaml's events, in one pass.
 *
 * The text may be a vault's plain text, and libyaml works in ordinary memory. What can be reached
 * is wiped here: the values in events, its two read buffers, tokens that an error left behind. The
 * strings that its scanner gave back while they grew can't be reached: the program therefore sets
 * mallopt(M_PERTURB) at its start, so that free() and realloc() overwrite what they give back.
 */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "inventory/yaml_index.h"

#define NOT_ASCII UINT64_C(0x8080808080808080)

struct level {
	struct yaml_node *node;
	struct yaml_node *key;	/* read, and waiting for its value */
	struct yaml_node *last; /* the last member so far */
};

struct reader {
	struct yaml *yaml;
	yaml_parser_t parser;
	struct level levels[YAML_DEPTH_MAX];
	size_t depth;
	size_t documents;
	size_t base;   /* bytes of the byte order mark */
	size_t cursor; /* a byte of the text, and how many characters are before it */
	size_t characters;
	struct err *err;
};

static bool continues(const struct yaml *yaml, size_t at)
{
	return at < yaml->len && ((unsigned char)yaml->text[at] & 0xC0) == 0x80;
}

/* Whether that many bytes, a multiple of eight, are a character each. */
static bool is_ascii(const char *text, size_t count)
{
	uint64_t all = 0, eight;

	for (size_t i = 0; i < count; i += sizeof(eight)) {
		memcpy(&eight, text + i, sizeof(eight));
		all |= eight;
	}
	return !(all & NOT_ASCII);
}

/* Over many characters at once, as long as they are of one byte each. */
static void skip_plain(struct reader *r, size_t characters)
{
	static const size_t steps[] = {64, 8};
	const struct yaml *yaml = r->yaml;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		/* The one behind them, too: else they may be followed by the rest of a character.
		 */
		while (characters - r->characters >= steps[i] && yaml->len - r->cursor > steps[i] &&
		       is_ascii(yaml->text + r->cursor, steps[i]) &&
		       !continues(yaml, r->cursor + steps[i])) {
			r->cursor += steps[i];
			r->characters += steps[i];
		}
	}
}

/* libyaml counts characters. Marks hardly ever go back, and then by a few. */
static size_t byte_of(struct reader *r, size_t characters)
{
	if (r->characters < characters)
		skip_plain(r, characters);
	while (r->characters < characters && r->cursor < r->yaml->len) {
		do
			r->cursor++;
		while (continues(r->yaml, r->cursor));
		r->characters++;
	}
	while (r->characters > characters) {
		do
			r->cursor--;
		while (continues(r->yaml, r->cursor));
		r->characters--;
	}
	return r->cursor;
}

static const char *keep_text(struct reader *r, const char *text, size_t len)
{
	struct arena *arena = r->yaml->arena;
	char *copy = arena ? arena_alloc(arena, len + 1) : pool_alloc(&r->yaml->pool, len + 1);

	if (copy && len)
		memcpy(copy, text, len);
	return copy;
}

static size_t line_of(const struct yaml *yaml, size_t at)
{
	size_t line = 1;

	for (size_t i = 0; i < at && i < yaml->len; i++)
		line += yaml->text[i] == '\n';
	return line;
}

static int fail_parse(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const struct level *level = r->depth ? &r->levels[r->depth - 1] : NULL;
	const struct yaml_node *in = level && level->key ? level->key : level ? level->node : NULL;
	const char *problem = p->problem ? p->problem : "can't be read as YAML";
	const char *name = r->yaml->name;
	char path[512];

	if (p->error == YAML_MEMORY_ERROR)
		return err_nomem(r->err);
	if (p->error == YAML_READER_ERROR)
		return err_set(r->err, ERR_FAIL, "%s:%zu: %s", name,
			       line_of(r->yaml, r->base + p->problem_offset), problem);
	yaml_path(in, path, sizeof(path));
	(void)err_set(r->err, ERR_FAIL, "%s:%zu: %s%s%s", name, p->problem_mark.line + 1, path,
		      path[0] ? ": " : "", problem);
	if (p->context)
		(void)err_hint(r->err, "libyaml met it %s that begins in line %zu", p->context,
			       p->context_mark.line + 1);
	return ERR_FAIL;
}

static void wipe(void *data, size_t len)
{
	if (data && len)
		explicit_bzero(data, len);
}

static void wipe_event(yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		wipe(event->data.scalar.value, event->data.scalar.length);
}

static void close_parser(yaml_parser_t *p)
{
	for (yaml_token_t *token = p->tokens.head; token && token != p->tokens.tail; token++) {
		if (token->type == YAML_SCALAR_TOKEN)
			wipe(token->data.scalar.value, token->data.scalar.length);
	}
	wipe(p->raw_buffer.start, (size_t)(p->raw_buffer.end - p->raw_buffer.start));
	wipe(p->buffer.start, (size_t)(p->buffer.end - p->buffer.start));
	yaml_parser_delete(p);
}

static struct yaml_node *new_node(struct reader *r, const yaml_event_t *event)
{
	struct yaml *yaml = r->yaml;
	struct yaml_node *node;

	if (yaml->count == YAML_NODES_MAX) {
		(void)err_set(r->err, ERR_FAIL, "%s:%zu: more than %zu values", yaml->name,
			      event->start_mark.line + 1, YAML_NODES_MAX);
		return NULL;
	}
	node = pool_alloc(&yaml->pool, sizeof(*node));
	if (!node) {
		(void)err_nomem(r->err);
		return NULL;
	}
	node->id = yaml->count++;
	node->start = byte_of(r, event->start_mark.index);
	node->content = node->start;
	node->end = byte_of(r, event->end_mark.index);
	node->line = event->start_mark.line + 1;
	node->column = event->start_mark.column;
	if (r->depth) {
		node->parent = r->levels[r->depth - 1].node;
		node->in_flow = node->parent->style == YAML_STYLE_FLOW;
	}
	return node;
}

static int set_name(struct reader *r, const char **out, const unsigned char *name)
{
	if (!name)
		return 0;
	*out = keep_text(r, (const char *)name, strlen((const char *)name));
	return *out ? 0 : err_nomem(r->err);
}

/* Makes the node the key, value or member that its place asks for. */
static int attach(struct reader *r, struct yaml_node *node)
{
	struct level *level = r->depth ? &r->levels[r->depth - 1] : NULL;
	const struct yaml_node *twin = NULL;
	struct yaml_node *parent;

	if (!level) {
		r->yaml->root = node;
		return 0;
	}
	parent = level->node;
	if (parent->kind == YAML_KIND_MAPPING && !level->key) {
		node->key = node;
		if (node->kind != YAML_KIND_SCALAR)
			return err_set(r->err, ERR_FAIL, "%s:%zu: a key that is not a text",
				       r->yaml->name, node->line);
		level->key = node;
		return 0;
	}
	node->key = level->key;
	level->key = NULL;
	if (node->key && index_put(r->yaml, node, &twin, r->err))
		return ERR_FAIL;
	if (twin)
		return yaml_err(r->yaml, node->key, ERR_FAIL, r->err,
				"the key stands here twice, first in line %zu", twin->key->line);
	if (level->last)
		level->last->next = node;
	else
		parent->first = node;
	level->last = node;
	parent->last = node;
	parent->count++;
	return 0;
}

static enum yaml_style scalar_style(yaml_scalar_style_t style)
{
	static const enum yaml_style styles[] = {
		[YAML_ANY_SCALAR_STYLE] = YAML_STYLE_PLAIN,
		[YAML_PLAIN_SCALAR_STYLE] = YAML_STYLE_PLAIN,
		[YAML_SINGLE_QUOTED_SCALAR_STYLE] = YAML_STYLE_SINGLE,
		[YAML_DOUBLE_QUOTED_SCALAR_STYLE] = YAML_STYLE_DOUBLE,
		[YAML_LITERAL_SCALAR_STYLE] = YAML_STYLE_LITERAL,
		[YAML_FOLDED_SCALAR_STYLE] = YAML_STYLE_FOLDED,
	};

	return styles[style];
}

static int on_scalar(struct reader *r, const yaml_event_t *event)
{
	struct yaml_node *node = new_node(r, event);

	if (!node)
		return ERR_FAIL;
	node->kind = YAML_KIND_SCALAR;
	node->style = scalar_style(event->data.scalar.style);
	node->len = event->data.scalar.length;
	node->value = keep_text(r, (const char *)event->data.scalar.value, node->len);
	if (!node->value)
		return err_nomem(r->err);
	if (set_name(r, &node->tag, event->data.scalar.tag) ||
	    set_name(r, &node->anchor, event->data.scalar.anchor) || attach(r, node))
		return ERR_FAIL;
	scalar_range(r->yaml, node);
	return 0;
}

static int on_alias(struct reader *r, const yaml_event_t *event)
{
	struct yaml_node *node = new_node(r, event);

	if (!node)
		return ERR_FAIL;
	node->kind = YAML_KIND_ALIAS;
	if (set_name(r, &node->value, event->data.alias.anchor))
		return ERR_FAIL;
	node->len = strlen(node->value);
	return attach(r, node);
}

static int on_start(struct reader *r, const yaml_event_t *event)
{
	bool mapping = event->type == YAML_MAPPING_START_EVENT;
	bool flow = mapping ? event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
			    : event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	struct yaml_node *node = new_node(r, event);

	if (!node)
		return ERR_FAIL;
	node->kind = mapping ? YAML_KIND_MAPPING : YAML_KIND_SEQUENCE;
	node->style = flow ? YAML_STYLE_FLOW : YAML_STYLE_BLOCK;
	if (set_name(r, &node->tag,
		     mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag) ||
	    set_name(r, &node->anchor,
		     mapping ? event->data.mapping_start.anchor
			     : event->data.sequence_start.anchor) ||
	    attach(r, node))
		return ERR_FAIL;
	if (r->depth == YAML_DEPTH_MAX)
		return yaml_err(r->yaml, node, ERR_FAIL, r->err, "nested deeper than %d levels",
				YAML_DEPTH_MAX);
	scalar_range(r->yaml, node);
	r->levels[r->depth++] = (struct level){.node = node};
	return 0;
}

static void on_end(struct reader *r, const yaml_event_t *event)
{
	struct yaml_node *node = r->levels[--r->depth].node;

	/* The end event of a block collection stands where the next thing begins. */
	if (node->style == YAML_STYLE_FLOW)
		node->end = byte_of(r, event->end_mark.index);
	else if (node->last)
		node->end = node->last->end;
}

static int on_event(struct reader *r, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(r, event);
	case YAML_ALIAS_EVENT:
		return on_alias(r, event);
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		return on_start(r, event);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		on_end(r, event);
		return 0;
	case YAML_DOCUMENT_START_EVENT:
		if (r->documents++)
			return err_set(r->err, ERR_FAIL,
				       "%s:%zu: a second document begins; one file holds one",
				       r->yaml->name, event->start_mark.line + 1);
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	default:
		return 0;
	}
}

static int read_events(struct reader *r)
{
	bool done = false;
	int rc = 0;

	while (!done && !rc) {
		yaml_event_t event;

		if (!yaml_parser_parse(&r->parser, &event))
			return fail_parse(r);
		done = event.type == YAML_STREAM_END_EVENT;
		rc = on_event(r, &event);
		if (r->yaml->arena)
			wipe_event(&event);
		yaml_event_delete(&event);
	}
	return rc;
}

static int check_encoding(struct reader *r)
{
	const unsigned char *text = (const unsigned char *)r->yaml->text;
	size_t len = r->yaml->len;

	if (len > YAML_TEXT_MAX)
		return err_set(r->err, ERR_FAIL, "%s: larger than %zu MiB", r->yaml->name,
			       YAML_TEXT_MAX >> 20);
	if (len >= 2 && ((text[0] == 0xFF && text[1] == 0xFE) ||
			 (text[0] == 0xFE && text[1] == 0xFF) || !text[0] != !text[1]))
		return err_set(r->err, ERR_FAIL, "%s:1: is UTF-16; only UTF-8 is read",
			       r->yaml->name);
	if (len >= 3 && text[0] == 0xEF && text[1] == 0xBB && text[2] == 0xBF)
		r->base = 3;
	return 0;
}

static int read_text(struct reader *r)
{
	int rc;

	if (check_encoding(r))
		return ERR_FAIL;
	if (!yaml_parser_initialize(&r->parser))
		return err_nomem(r->err);
	r->cursor = r->base;
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->yaml->text + r->base,
				     r->yaml->len - r->base);
	rc = read_events(r);
	close_parser(&r->parser);
	return rc;
}

int yaml_parse(struct yaml **out, const char *text, size_t len, const char *name,
	       struct arena *arena, struct err *err)
{
	struct yaml *yaml = calloc(1, sizeof(*yaml));
	struct reader *r = calloc(1, sizeof(*r));
	int rc;

	*out = NULL;
	if (!yaml || !r || !(yaml->name = strdup(name))) {
		rc = err_nomem(err);
		goto out;
	}
	yaml->text = len ? text : "";
	yaml->len = len;
	yaml->arena = arena;
	r->yaml = yaml;
	r->err = err;
	rc = read_text(r);
	if (!rc) {
		*out = yaml;
		yaml = NULL;
	}
out:
	free(r);
	yaml_drop(yaml);
	return rc;
}
