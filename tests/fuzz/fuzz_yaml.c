/* SPDX-License-Identifier: PostgreSQL */
/* Any text: never a crash, and every node lies within the text and within its parent. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct yaml *yaml, const struct yaml_node *node, size_t size)
{
	size_t count = 0;

	if (node->start > node->content || node->content > node->end || node->end > size ||
	    !node->line || node->id >= yaml_count(yaml))
		abort();
	if (node->kind == YAML_KIND_SCALAR && (!node->value || node->value[node->len]))
		abort();
	(void)yaml_type(node);
	for (const struct yaml_node *at = node->first; at; at = at->next) {
		if (at->parent != node || at->start < node->content || at->end > node->end)
			abort();
		if (at->key && strlen(at->key->value) == at->key->len &&
		    yaml_get(yaml, node, at->key->value) != at)
			abort();
		check(yaml, at, size);
		count++;
	}
	if (count != node->count)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct yaml *yaml = NULL;
	struct err err = {0};

	if (!text)
		return 0;
	memcpy(text, data, size);
	if (yaml_parse(&yaml, text, size, "f.yml", NULL, &err) == 0) {
		if (yaml_root(yaml))
			check(yaml, yaml_root(yaml), size);
	} else if (err.code != ERR_FAIL || strncmp(err.msg, "f.yml:", 6) != 0 || yaml) {
		abort();
	}
	yaml_drop(yaml);
	free(text);
	return 0;
}
