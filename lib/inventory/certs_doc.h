/* SPDX-License-Identifier: PostgreSQL */
/* Inside of struct certs and of one edit. Private to the room. */
#ifndef INVENTORY_CERTS_DOC_H
#define INVENTORY_CERTS_DOC_H

#include <stdint.h>
#include "base/strs.h"
#include "inventory/certs.h"
#include "inventory/splice.h"

#define INDENT_STEP 2 /* where nothing in the file tells */

struct certs {
	struct yaml *yaml;
	const char *text;
	size_t len;
	struct certs_entry *entries;
	size_t count;
	size_t cap;
	uint32_t *entry_of; /* by a value node's id: the entry's index + 1, or 0 */
};

/* A replacement whose text lies in edit.pieces (which still moves) from at on. */
struct piece {
	size_t start;
	size_t end;
	size_t at;
	size_t len;
	size_t order;
};

/* One edit while it is made. All texts live in the scratch arena, because they may be keys. */
struct edit {
	const struct certs *certs;
	const struct certs_change *changes;
	size_t count;
	struct arena *scratch;
	struct secret_buf pieces;
	struct piece *list;
	size_t list_count;
	size_t list_cap;
	uint32_t *change_of;	      /* by entry: the change's index + 1, or 0 */
	const struct yaml_node *kept; /* the last entry so far that is not removed */
	struct strmap inserts;	      /* edit_path() of a new entry to its change's index */
};

/* How a value is to be written. */
struct form {
	bool literal;		/* where it can hold the text; else double-quoted */
	const char *properties; /* before it: "!vault ", or what stands there now */
	size_t properties_len;
	char indicators[8]; /* of a block: "", "-", "2+" */
	const char *rest;   /* behind the indicators, or the closing quote: a comment */
	size_t rest_len;
	size_t indent;	 /* column of a block's lines */
	size_t newlines; /* at the end of the value */
	const char *eol;
};

/* Where a source text of a value is put back. */
struct raw_place {
	size_t column; /* of its key */
	bool in_flow;
	bool from_block;  /* what stands there now is a block scalar */
	const char *rest; /* what follows it, or its indicators, in their line; it is kept */
	size_t rest_len;
};

/* certs.c */
bool node_is_vault(const struct yaml_node *node);
int certs_refuse_anchors(const struct certs *certs, const struct yaml_node *node, struct err *err);

/* certs_text.c: texts and lines */
bool text_is_utf8(const char *text, size_t len); /* and without NUL */
bool text_has_template(const char *text, size_t len);
size_t text_span(const char *text, size_t at, size_t end, const char *set); /* as strspn */
size_t text_trimmed(const char *text, size_t len); /* the length without line ends at the end */
size_t text_line_start(const char *text, size_t at);
size_t text_line_end(const char *text, size_t at, size_t len);	/* before its line end */
size_t text_next_line(const char *text, size_t at, size_t len); /* behind its line end */
const char *text_eol(const char *text, size_t at, size_t len);	/* the next line end */
void add_text(struct secret_buf *out, const char *text);
void add_spaces(struct secret_buf *out, size_t count);
void add_value(struct secret_buf *out, const struct form *form, const char *text, size_t len);
void add_key(struct secret_buf *out, const char *name, enum yaml_style style);

/* certs_form.c: the style that a value has, and how a new text goes into it */
bool is_block(const struct yaml_node *node); /* a literal or folded scalar */
/* The indicators of a block scalar; returns the offset behind them. */
size_t block_indicators(const char *text, size_t len, const struct yaml_node *node, char out[8]);
/* From a key's column to the lines of a block scalar, as the member or one beside it has it. */
size_t block_offset(const struct certs *certs, const struct yaml_node *member);
size_t count_newlines(const char *text, size_t len); /* at its end */
/* Before a text in a null value's place; refuses one inside {} that has no colon. */
int add_gap(struct edit *edit, const struct yaml_node *node, struct err *err);
int edit_set(struct edit *edit, const struct certs_entry *entry, const struct certs_change *change,
	     struct err *err);

/* certs_raw.c: adds the change's raw text if it decodes to its text there; *done says whether */
int add_raw(struct edit *edit, const struct certs_change *change, const struct raw_place *place,
	    bool *done, struct err *err);

/* certs_edit.c */
int edit_piece(struct edit *edit, size_t start, size_t end, size_t at, size_t order,
	       struct err *err);
bool edit_removes(const struct edit *edit, const struct yaml_node *member);
const struct certs_change *edit_change(const struct edit *edit, const struct yaml_node *member);
char *edit_path(enum certs_kind kind, const char *authority, const char *name); /* free() it */
const char *certs_root_name(enum certs_kind kind);

/* certs_insert.c: places all CERTS_INSERT changes */
int edit_inserts(struct edit *edit, struct err *err);

/* certs_verify.c: whether the result is the document with exactly these changes */
int edit_verify(const struct edit *edit, const struct secret *result, struct err *err);

#endif
