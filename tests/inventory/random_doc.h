/* SPDX-License-Identifier: PostgreSQL */
/*
 * Random documents with certificates, together with what they hold. The text is made of pieces:
 * fixed ones that no edit may touch, and the values' source texts between them.
 */
#ifndef TESTS_INVENTORY_RANDOM_DOC_H
#define TESTS_INVENTORY_RANDOM_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "inventory/certs.h"

#define DOC_ENTRIES 24
#define DOC_VALUE   1500

struct doc_entry {
	enum certs_kind kind;
	const char *authority;
	const char *name;
	bool vault;
	bool block; /* written as a block scalar */
	char value[DOC_VALUE];
	size_t fixed; /* in text: where the piece before the value begins */
	size_t start; /* the value's source text */
	size_t end;
};

struct doc {
	uint64_t random;
	const char *eol;
	bool flow;
	bool open_end; /* no line end at the end of the file */
	bool keeps;    /* a "|+" block comes last: no blank line may follow */
	struct buf text;
	struct doc_entry entries[DOC_ENTRIES];
	size_t count;
};

uint64_t doc_random(struct doc *doc, uint64_t below);
void doc_make(struct doc *doc, uint64_t seed);
void doc_release(struct doc *doc);
/* A made-up PEM text. */
void doc_pem(struct doc *doc, char *out, size_t size);

#endif
