/* SPDX-License-Identifier: PostgreSQL */
#include "inventory/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/huge.h"
#include "inventory/yaml_index.h"

#define POOL_FIRST  ((size_t)4 << 10) /* small texts are parsed by the thousand */
#define POOL_BLOCK  ((size_t)64 << 10)
#define POOL_MAPPED ((size_t)1 << 20)
#define POOL_MOST   ((size_t)8 << 20) /* blocks double up to this */
#define POOL_ALIGN  ((size_t)16)
#define KEY_SHOWN   64 /* characters of a key in a message */

struct pool_block {
	struct pool_block *next;
	size_t size;
	size_t used;
	size_t padding; /* keeps what follows aligned */
};

/*
 * Large ones by mmap(2): where freed memory is overwritten (M_PERTURB), calloc(3) fills even what
 * the kernel has just cleared, before a wish for large pages can be made.
 */
static struct pool_block *new_block(size_t room)
{
	size_t size = sizeof(struct pool_block) + room;
	void *block;

	if (room < POOL_MAPPED)
		return calloc(1, size);
	block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block == MAP_FAILED)
		return NULL;
	huge_pages(block, size);
	return block;
}

static void free_block(struct pool_block *block)
{
	if (block->size < POOL_MAPPED)
		free(block);
	else
		(void)munmap(block, sizeof(*block) + block->size);
}

void *pool_alloc(struct pool *pool, size_t size)
{
	struct pool_block *block = pool->blocks;
	size_t rounded = (size + POOL_ALIGN - 1) / POOL_ALIGN * POOL_ALIGN;
	void *at;

	if (rounded < size)
		return NULL;
	if (!block || block->size - block->used < rounded) {
		size_t least = !block			  ? POOL_FIRST
			       : block->size < POOL_BLOCK ? POOL_BLOCK
			       : block->size < POOL_MOST  ? block->size * 2
							  : POOL_MOST;
		size_t room = rounded > least ? rounded : least;

		block = new_block(room);
		if (!block)
			return NULL;
		block->size = room;
		block->next = pool->blocks;
		pool->blocks = block;
	}
	at = (char *)(block + 1) + block->used;
	block->used += rounded;
	return at;
}

void pool_release(struct pool *pool)
{
	struct pool_block *next;

	for (struct pool_block *block = pool->blocks; block; block = next) {
		next = block->next;
		free_block(block);
	}
	pool->blocks = NULL;
}

/* FNV-1a over the mapping's number and the key. */
static size_t hash_of(size_t mapping, const char *key, size_t len)
{
	uint64_t hash = (UINT64_C(14695981039346656037) ^ mapping) * UINT64_C(1099511628211);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)key[i]) * UINT64_C(1099511628211);
	return (size_t)(hash ^ hash >> 32);
}

static struct yaml_node **slot_of(const struct yaml *yaml, const struct yaml_node *mapping,
				  const char *key, size_t len)
{
	size_t i = hash_of(mapping->id, key, len) & (yaml->slots_cap - 1);

	for (;; i = (i + 1) & (yaml->slots_cap - 1)) {
		const struct yaml_node *node = yaml->slots[i];

		if (!node || (node->parent == mapping && node->key->len == len &&
			      !memcmp(node->key->value, key, len)))
			return &yaml->slots[i];
	}
}

static int grow_slots(struct yaml *yaml, struct err *err)
{
	struct yaml_node **old = yaml->slots;
	size_t old_cap = yaml->slots_cap;
	size_t cap = old_cap ? old_cap * 2 : 64;

	yaml->slots = calloc(cap, sizeof(struct yaml_node *));
	if (!yaml->slots) {
		yaml->slots = old;
		return err_nomem(err);
	}
	yaml->slots_cap = cap;
	for (size_t i = 0; i < old_cap; i++) {
		if (old[i])
			*slot_of(yaml, old[i]->parent, old[i]->key->value,
				 old[i]->key->len) = old[i];
	}
	free(old);
	return 0;
}

int index_put(struct yaml *yaml, struct yaml_node *member, const struct yaml_node **twin,
	      struct err *err)
{
	struct yaml_node **slot;

	if (yaml->slots_used * 4 >= yaml->slots_cap * 3 && grow_slots(yaml, err))
		return ERR_FAIL;
	slot = slot_of(yaml, member->parent, member->key->value, member->key->len);
	*twin = *slot;
	if (!*slot) {
		*slot = member;
		yaml->slots_used++;
	}
	return 0;
}

void yaml_drop(struct yaml *yaml)
{
	if (!yaml)
		return;
	pool_release(&yaml->pool);
	free(yaml->slots);
	free(yaml->name);
	free(yaml);
}

const struct yaml_node *yaml_root(const struct yaml *yaml)
{
	return yaml->root;
}

const char *yaml_text(const struct yaml *yaml, size_t *len)
{
	*len = yaml->len;
	return yaml->text;
}

const char *yaml_name(const struct yaml *yaml)
{
	return yaml->name;
}

size_t yaml_count(const struct yaml *yaml)
{
	return yaml->count;
}

const struct yaml_node *yaml_get(const struct yaml *yaml, const struct yaml_node *mapping,
				 const char *key)
{
	if (!mapping || mapping->kind != YAML_KIND_MAPPING || !yaml->slots)
		return NULL;
	return *slot_of(yaml, mapping, key, strlen(key));
}

const struct yaml_node *yaml_at(const struct yaml *yaml, const struct yaml_node *from, ...)
{
	const char *key;
	va_list ap;

	va_start(ap, from);
	while (from && (key = va_arg(ap, const char *)) != NULL)
		from = yaml_get(yaml, from, key);
	va_end(ap);
	return from;
}

static void add_step(struct buf *path, const struct yaml_node *node)
{
	size_t index = 0;

	if (node->key) {
		if (path->len)
			buf_addc(path, '.');
		buf_add_safe(path, node->key->value,
			     node->key->len > KEY_SHOWN ? KEY_SHOWN : node->key->len);
		if (node->key->len > KEY_SHOWN)
			buf_adds(path, "...");
		return;
	}
	for (const struct yaml_node *at = node->parent->first; at && at != node; at = at->next)
		index++;
	buf_addf(path, "[%zu]", index);
}

void yaml_path(const struct yaml_node *node, char *out, size_t size)
{
	const struct yaml_node *steps[YAML_DEPTH_MAX + 2];
	size_t depth = 0;
	struct buf path;

	for (; node && node->parent && depth < YAML_DEPTH_MAX + 2; node = node->parent)
		steps[depth++] = node;
	buf_init(&path, BUF_TEXT_MAX);
	while (depth > 0)
		add_step(&path, steps[--depth]);
	(void)snprintf(out, size, "%s", path.data);
	buf_release(&path);
}

int yaml_err(const struct yaml *yaml, const struct yaml_node *node, int code, struct err *err,
	     const char *fmt, ...)
{
	size_t line = node && node->key ? node->key->line : node ? node->line : 0;
	char path[512];
	va_list ap;

	va_start(ap, fmt);
	(void)err_vset(err, code, fmt, ap);
	va_end(ap);
	if (!node) {
		(void)err_prefix(err, "%s", yaml->name);
		return code;
	}
	yaml_path(node, path, sizeof(path));
	if (path[0])
		(void)err_prefix(err, "%s:%zu: %s", yaml->name, line, path);
	else
		(void)err_prefix(err, "%s:%zu", yaml->name, line);
	return code;
}

static bool is_merge(const struct yaml_node *node)
{
	return node->key && node->key->style == YAML_STYLE_PLAIN && !node->key->tag &&
	       !strcmp(node->key->value, "<<");
}

static int refuse_node(const struct yaml *yaml, const struct yaml_node *node, struct err *err)
{
	if (is_merge(node))
		(void)yaml_err(yaml, node, ERR_FAIL, err, "a merge key (<<) can't be used here");
	else if (node->kind == YAML_KIND_ALIAS)
		(void)yaml_err(yaml, node, ERR_FAIL, err, "an alias (*) can't be used here");
	else if (node->anchor || (node->key && node->key->anchor))
		(void)yaml_err(yaml, node, ERR_FAIL, err, "an anchor (&) can't be used here");
	else
		return 0;
	return err_hint(err, "write the text out in full");
}

int yaml_refuse_aliases(const struct yaml *yaml, const struct yaml_node *node, struct err *err)
{
	int rc;

	if (!node)
		return 0;
	rc = refuse_node(yaml, node, err);
	for (const struct yaml_node *at = node->first; at && !rc; at = at->next)
		rc = yaml_refuse_aliases(yaml, at, err);
	return rc;
}
