/* SPDX-License-Identifier: PostgreSQL */
/* Reads keys one at a time: ten thousand of them in OpenSSL's form take more room than their texts.
 */
#include <stdlib.h>
#include <string.h>

#include "safety/proof_internal.h"

/* For messages, which name the subject themselves. */
#define NAME "key"

char *proof_reason(const struct err *why, const char *name)
{
	size_t len = strlen(name);
	const char *text = why->msg;

	if (!strncmp(text, name, len) && text[len] == ':' && text[len + 1] == ' ')
		text += len + 2;
	return strdup(text);
}

int proof_read_key(struct key **out, struct loaded_leaf *leaf, const struct cert *cert,
		   struct key_reader *reader, struct err *err)
{
	struct err why = {0};

	*out = NULL;
	if (!proof_has_key(leaf))
		return 0;
	if (key_reader_read(out, reader, leaf->in->key, NAME, &why))
		leaf->key_error = proof_reason(&why, NAME);
	else if (!cert || key_matches(*out, cert))
		return 0;
	else
		leaf->key_error = strdup("the key belongs to another certificate");
	key_free(*out);
	*out = NULL;
	return leaf->key_error ? 0 : err_nomem(err);
}

int proof_check_key(struct loaded_leaf *leaf, struct key_reader *reader, struct err *err)
{
	struct key *key = NULL;
	int rc = proof_read_key(&key, leaf, leaf->leaf, reader, err);

	key_free(key);
	return rc;
}

int proof_unit_key(struct key **out, struct unit *unit, const struct cert *cert,
		   struct key_reader *reader, struct err *err)
{
	int rc = 0;

	*out = NULL;
	for (struct loaded_leaf *leaf = unit->users; leaf && !rc; leaf = leaf->next) {
		struct key *key = NULL;

		rc = proof_read_key(&key, leaf, cert, reader, err);
		if (key && !unit->keyed) {
			unit->keyed = leaf;
			*out = key;
			continue;
		}
		key_free(key);
	}
	return rc;
}
