/* SPDX-License-Identifier: PostgreSQL */
/*
 * Where a scalar's content begins and ends. libyaml's range of a block scalar takes in the tag, the
 * comment behind the indicator, and blank lines that follow without being part of the value.
 */
#include <string.h>

#include "inventory/yaml_index.h"

/* The start of the line after the one that at stands in, at most end. */
static size_t next_line(const char *text, size_t at, size_t end)
{
	while (at < end && text[at] != '\n' && text[at] != '\r')
		at++;
	if (at < end && text[at] == '\r' && at + 1 < end && text[at + 1] == '\n')
		at++;
	return at < end ? at + 1 : end;
}

static bool is_break(char c)
{
	return c == '\n' || c == '\r';
}

/* Behind the node's tag and anchor, and behind the comments and line ends after them. */
static size_t skip_properties(const struct yaml *yaml, const struct yaml_node *node)
{
	const char *text = yaml->text;
	const char *stop = node->in_flow ? " \t\r\n,[]{}" : " \t\r\n";
	size_t at = node->start;

	if (!node->tag && !node->anchor)
		return at;
	while (at < node->end && (text[at] == '!' || text[at] == '&' || text[at] == '#')) {
		if (text[at] == '#')
			at = next_line(text, at, node->end);
		else
			while (at < node->end && !strchr(stop, text[at]))
				at++;
		while (at < node->end &&
		       (text[at] == ' ' || text[at] == '\t' || is_break(text[at])))
			at++;
	}
	return at;
}

static size_t spaces_at(const char *text, size_t at, size_t end)
{
	size_t n = 0;

	while (at + n < end && text[at + n] == ' ')
		n++;
	return n;
}

size_t block_indent(const struct yaml *yaml, const struct yaml_node *node, size_t end)
{
	const char *text = yaml->text;
	size_t base = node->key ? node->key->column : node->parent ? node->parent->column : 0;
	size_t least = node->parent ? base + 1 : 1;
	size_t indent = 0;
	size_t at = node->content + 1;

	for (; at < end && strchr("+-0123456789", text[at]); at++) {
		if (text[at] >= '1' && text[at] <= '9')
			return (node->parent ? base : 0) + (size_t)(text[at] - '0');
	}
	for (at = next_line(text, at, end); at < end; at = next_line(text, at, end)) {
		size_t n = spaces_at(text, at, end);

		if (n > indent)
			indent = n;
		if (at + n < end && !is_break(text[at + n]))
			return indent;
	}
	return indent > least ? indent : least;
}

static size_t block_end(const struct yaml *yaml, const struct yaml_node *node)
{
	const char *text = yaml->text;
	size_t first = next_line(text, node->content, node->end); /* the first content line */
	size_t end = node->end;
	size_t indent = block_indent(yaml, node, end);
	bool keep = false;

	for (size_t at = node->content + 1; at < end && strchr("+-0123456789", text[at]); at++)
		keep = keep || text[at] == '+';
	for (;;) {
		size_t before = end, line;

		if (end > node->content && text[end - 1] == '\n')
			end -= end > node->content + 1 && text[end - 2] == '\r' ? 2 : 1;
		else if (end > node->content && text[end - 1] == '\r')
			end--;
		if (keep || end < first)
			return end;
		line = end;
		while (line > first && text[line - 1] == ' ')
			line--;
		if (line > first && !is_break(text[line - 1]))
			return end;
		if (end - line > indent)
			return end;
		if (line == before) /* "key: |" at the very end of the text */
			return end;
		end = line;
	}
}

void scalar_range(const struct yaml *yaml, struct yaml_node *node)
{
	node->content = skip_properties(yaml, node);
	if (node->style == YAML_STYLE_LITERAL || node->style == YAML_STYLE_FOLDED)
		node->end = block_end(yaml, node);
}
