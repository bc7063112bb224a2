/* SPDX-License-Identifier: PostgreSQL */
/* The vocabulary of chain descriptions: what both chainsmiths write, and OpenSSL's word for it. */
#ifndef INVENTORY_CHAIN_NAMES_H
#define INVENTORY_CHAIN_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* OpenSSL's name of a usage, NULL where there is none. An OID is its own name if extended. */
const char *chain_usage_name(const char *word, bool extended);
/* Every word that is understood, for suggestions. */
const char *const *chain_usage_words(bool extended, size_t *count);
/* OpenSSL's name of a subject's attribute; the word itself where it is none of chainsmith's. */
const char *chain_attr_name(const char *word);
/* Whether a text can be a leaf's or authority's name: one line, no slash, 1 to 64 bytes. */
bool chain_name_plain(const char *text);
/* Whether it is a host name (letters, digits, '-', '_' in labels of at most 63), not a wildcard. */
bool chain_name_is_host(const char *text, size_t len);

#endif
