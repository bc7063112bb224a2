/* SPDX-License-Identifier: PostgreSQL */
/*
 * The documents that hold certificates and keys, as chainsmith writes them:
 *
 *     certs:                           private_keys:
 *       server:                          server:
 *         chain: |                         db1.example.com: |
 *           -----BEGIN CERTIFICATE-----       -----BEGIN PRIVATE KEY-----
 *           …
 *         db1.example.com: |
 *           …
 *
 * in one file or in two, keys plain or quoted, values in any style. Other top-level keys are left
 * alone. One code for both: the clear text of a vault is opened with an arena and edited into an
 * arena, certificates go to ordinary memory.
 *
 * An edit replaces the bytes of the values it must replace and no others. Its result is parsed
 * again and compared with what was asked, value by value, before anything is returned.
 *
 * Line ends at the end of a value do not count: PEM does not need them, and what stands there now
 * ("|-", "|+", a text without "\n") is what the playbooks were written for. A new text therefore
 * takes over the number that the old value ends with. Compare with certs_same.
 */
#ifndef INVENTORY_CERTS_H
#define INVENTORY_CERTS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
#include "base/err.h"
#include "inventory/yaml.h"
#include "secret/arena.h"

#define CERTS_ROOT "certs"
#define KEYS_ROOT  "private_keys"
#define CHAIN_NAME "chain"

enum certs_kind {
	CERTS_CHAIN, /* certs.AUTHORITY.chain */
	CERTS_LEAF,  /* certs.AUTHORITY.NAME */
	CERTS_KEY,   /* private_keys.AUTHORITY.NAME, the authority's own included */
	CERTS__MAX
};

/* One value. Everything is borrowed from the document. */
struct certs_entry {
	enum certs_kind kind;
	const char *authority;
	const char *name;  /* "chain" for CERTS_CHAIN */
	const char *value; /* decoded, NUL-terminated; the vault's text where vault is set */
	size_t len;
	const char *raw; /* its source text: tag, style, and lines as they stand in the file */
	size_t raw_len;
	bool vault;	       /* the value is an inline !vault */
	enum yaml_style style; /* how it is written now */
	size_t line;	       /* from 1 */
	const struct yaml_node *node;
};

struct certs;

/*
 * text is borrowed until certs_close. name is for messages. arena: for the clear text of a vault,
 * NULL for a file without secrets. An empty text, or one without the two roots, has no entries and
 * can be filled by CERTS_INSERT.
 *
 * ERR_FAIL, with file, line and path: what yaml_parse refuses; an alias or a merge key on, above or
 * as a value (what it holds can't be told); anything but a mapping of mappings of texts below a
 * root; a root or an authority that is one inline vault.
 */
int certs_open(struct certs **out, const char *text, size_t len, const char *name,
	       struct arena *arena, struct err *err);
void certs_close(struct certs *certs); /* NULL is fine */

size_t certs_count(const struct certs *certs);
/* In the order of the file. */
const struct certs_entry *certs_at(const struct certs *certs, size_t index);
/* By a hash; NULL where it is not there. name is ignored for CERTS_CHAIN. */
const struct certs_entry *certs_find(const struct certs *certs, enum certs_kind kind,
				     const char *authority, const char *name);
/* Whether the document has this root ("certs" or "private_keys"), be it empty. */
bool certs_has_root(const struct certs *certs, const char *root);

/* Equal but for line ends at the end. */
bool certs_same(const char *a, size_t a_len, const char *b, size_t b_len);

/*
 * 0 where the value can be replaced or removed. ERR_FAIL with file, line, path: it holds a template
 * ("{{" or "{%"), an anchor stands on or above it, or it has a tag other than !!str, !unsafe and
 * !vault. certs_edit asks the same; a preflight asks early.
 */
int certs_editable(const struct certs *certs, const struct certs_entry *entry, struct err *err);

enum certs_verb {
	CERTS_SET,     /* the entry gets the text, encoded as its value is now (see below) */
	CERTS_RESTORE, /* the entry gets raw, if that decodes to text here; else as CERTS_SET */
	CERTS_INSERT,  /* a new entry behind the last one of its authority, in that one's style */
	CERTS_REMOVE
};

/*
 * Styles. "|" keeps its indicators, indentation, line ends and the comment behind it; a
 * double-quoted text stays double-quoted (in one line). Where the style can't hold the text safely
 * the nearest that can is taken: ">", 'text', plain and null values become "|" in a block mapping
 * and double-quoted inside {}; "|" becomes double-quoted where the text has control characters,
 * other line ends, or begins with a blank. With CERTS_RESTORE a comment behind "|" stays as it is
 * now. A missing root or authority is made by CERTS_INSERT.
 */
struct certs_change {
	enum certs_verb verb;
	enum certs_kind kind;
	const char *authority;
	const char *name; /* ignored for CERTS_CHAIN */
	const char *text; /* valid UTF-8; for vault the vault's text; not for CERTS_REMOVE */
	size_t len;
	const char *raw; /* for CERTS_RESTORE; as in struct certs_entry; NULL acts as CERTS_SET */
	size_t raw_len;
	bool vault; /* the value is to be "!vault |" with that text */
};

/*
 * Adds the edited document to out; borrowed texts are only read. Without changes it is the text as
 * it was. ERR_NOENT: no such entry. ERR_FAIL: what certs_editable says, an entry that is there
 * already (CERTS_INSERT) or is named twice, a text that is not UTF-8, or a result that does not
 * read back as asked. On an error nothing was added.
 */
int certs_edit(struct buf *out, const struct certs *certs, const struct certs_change *changes,
	       size_t count, struct err *err);
/* The same for clear text of vaults. */
int certs_edit_secret(struct secret_buf *out, const struct certs *certs,
		      const struct certs_change *changes, size_t count, struct err *err);

#endif
