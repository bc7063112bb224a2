/* SPDX-License-Identifier: PostgreSQL */
/*
 * The chain's description: chainsmith's file, in every form that the Python one (MannemSolutions/
 * ChainSmith 0.1 to 0.2) and the Go one (pgvillage-tools/chainsmith) read, and certrotate's own
 * keys "key" and "days", at the top and in each intermediate.
 *
 *   subject: {C: NL/postalCode=3721 MA, ST: …, CN: postgres}    or "/C=NL/CN=postgres"
 *   intermediates: a list of {name, servers, clients, clientservers, keyUsages,
 *                  extendedKeyUsages, hosts, key, days}, or the same as a mapping by name; also
 *                  below "chain:" (Go)
 *   servers: {HOST: [SAN…]}      HOST: null and HOST: one name are fine too
 *   clients: [USER…]
 *   clientservers: as servers; their leaves are for both purposes (Python)
 *   hosts, environment: an inventory whose hosts are servers as well (Python)
 *
 * Python chainsmith takes the hosts of the groups directly below "all", and pgVillage always gives
 * it environments/ENV/hosts. So: where servers are wanted ("servers: {}") but neither any is named
 * nor "hosts" is set, the environment's own inventory is read. Their SAN is the host's name and its
 * ansible_host; no name is ever looked up in DNS.
 *
 * Keys that neither tool knows are passed over with a warning: the file belongs to another tool.
 */
#ifndef INVENTORY_CHAIN_H
#define INVENTORY_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/strs.h"

#define CHAIN_LEAF_DAYS	 365  /* what both chainsmiths give a leaf */
#define CHAIN_CA_DAYS	 2650 /* an intermediate, as Python's chainsmith */
#define CHAIN_ROOT_DAYS	 3650
#define CHAIN_LEAVES_MAX 100000	 /* servers and clients together */
#define CHAIN_NAMES_MAX	 1000000 /* SANs together */
#define CHAIN_TEXT_MAX	 ((size_t)64 << 20)
#define CHAIN_KEY	 "rsa4096"

enum chain_name_kind {
	CHAIN_NAME_DNS, /* a host name, or a wildcard "*.example.com" */
	CHAIN_NAME_IP,
	CHAIN_NAME_EMAIL, /* Go's chainsmith takes these as SANs too */
	CHAIN_NAME_URI,
	CHAIN_NAME__MAX
};

struct chain_name {
	enum chain_name_kind kind;
	char *text; /* addresses in their shortest form */
};

struct chain_server {
	char *host;
	struct chain_name *names; /* no duplicates; the host's own name first */
	size_t name_count;
	size_t line; /* in the description; 0 where it came from an inventory */
};

/*
 * An attribute of the subject, in the file's order. type is OpenSSL's short name where chainsmith
 * has another ("PC" is postalCode). value is as the file has it, so it may go on with further
 * attributes ("NL/postalCode=3721 MA"): dn_add of pki/issue.h takes it so.
 */
struct chain_attr {
	char *type;
	char *value;
	size_t line;
};

struct chain_authority {
	char *name;
	struct chain_server *servers; /* in the file's order, then the inventory's */
	size_t server_count;
	struct strs clients;	/* user names, no duplicates */
	struct strs key_usages; /* of its leaves, OpenSSL's short names; never empty */
	struct strs ext_usages; /* likewise; an OID where OpenSSL has no name */
	char *key;		/* of the authority and its leaves: "rsa4096", "ecdsa-p256", … */
	unsigned days;		/* of its leaves */
	size_t line;
};

struct chain_desc {
	char *file;		    /* as messages name it */
	struct chain_attr *subject; /* the root's; the last CN is the root's name, always there */
	size_t subject_count;
	char *key;			     /* the root's */
	unsigned days;			     /* of leaves where an authority says nothing else */
	struct chain_authority *authorities; /* at least one, in the file's order */
	size_t authority_count;
	bool has_inventory;   /* servers are taken from an inventory: a file of the checkout */
	struct strs warnings; /* "FILE:LINE: …": unknown keys, inventories that could not be read */
};

/*
 * root: the repository; file: relative to it. inventory: the environment's, relative to root, or
 * NULL where none is to be read. ERR_USAGE with file and line for what is wrong; ERR_NOENT where
 * the file is missing. Free with chain_free.
 */
int chain_load(struct chain_desc **out, const char *root, const char *file, const char *inventory,
	       struct err *err);
/* From a text; otherwise as chain_load. */
int chain_parse(struct chain_desc **out, const char *text, size_t len, const char *file,
		const char *root, const char *inventory, struct err *err);
void chain_free(struct chain_desc *chain); /* NULL is fine */

const struct chain_authority *chain_authority_find(const struct chain_desc *chain,
						   const char *name);
/* "DNS:db1.example.com", "IP:10.0.4.42", "email:…", "URI:…": as pki's issue_spec takes names. */
int chain_server_sans(struct strs *out, const struct chain_server *server, struct err *err);

/* The names that "key" may have. */
const char *const *chain_key_names(size_t *count);

/*
 * What a text is as a subject alternative name: false where it is none. An address is rewritten
 * to its shortest form, for which out needs size bytes (NULL to leave that out).
 */
bool chain_name_classify(enum chain_name_kind *kind, const char *text, char *out, size_t size);

#endif
