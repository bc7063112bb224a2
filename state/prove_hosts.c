/* SPDX-License-Identifier: PostgreSQL */
#include "state/prove_hosts.h"

#include <stdlib.h>
#include <string.h>

/* Each server's own, and who is meant by a name or address of the description. */
static int add_described(struct server_names *names, struct strmap *owners,
			 const struct chain_authority *authority, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; authority && i < authority->server_count && !rc; i++) {
		const struct chain_server *server = &authority->servers[i];
		size_t at;

		if (!strmap_get(&names->servers, server->host, &at))
			continue;
		for (size_t k = 0; k < server->name_count && !rc; k++) {
			const struct chain_name *name = &server->names[k];

			if (!strmap_get(owners, name->text, &(size_t){0}))
				rc = strmap_put(owners, name->text, at, err);
			if (!rc && name->kind == CHAIN_NAME_DNS && name->text[0] != '*')
				rc = strs_add_unique(&names->lists[at], name->text, err);
		}
	}
	return rc;
}

static int add_endpoints(struct server_names *names, const struct strmap *owners,
			 const struct endpoints *endpoints, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < endpoints->count && !rc; i++) {
		const struct endpoint *endpoint = &endpoints->items[i];
		size_t at;

		if (strmap_get(&names->servers, endpoint->name, &at) ||
		    strmap_get(owners, endpoint->name, &at) ||
		    (endpoint->address && (strmap_get(&names->servers, endpoint->address, &at) ||
					   strmap_get(owners, endpoint->address, &at))))
			rc = strs_add_unique(&names->lists[at], endpoint->name, err);
	}
	return rc;
}

int server_names_init(struct server_names *names, struct proof_peer *servers, size_t count,
		      const struct chain_desc *chain, const char *authority,
		      const struct environment *env, struct err *err)
{
	struct strmap owners = STRMAP_INIT;
	int rc = 0;

	*names = (struct server_names){.lists = calloc(count + 1, sizeof(struct strs)),
				       .servers = STRMAP_INIT};
	if (!names->lists)
		return err_nomem(err);
	names->count = count;
	for (size_t i = 0; i < count && !rc; i++) {
		rc = strmap_put(&names->servers, servers[i].name, i, err);
		rc = rc ? rc : strs_add(&names->lists[i], servers[i].name, err);
		servers[i].hosts = &names->lists[i];
	}
	if (!rc && chain)
		rc = add_described(names, &owners, chain_authority_find(chain, authority), err);
	rc = rc ? rc : add_endpoints(names, &owners, &env->endpoints, err);
	strmap_release(&owners);
	return rc;
}

void server_names_release(struct server_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		strs_release(&names->lists[i]);
	free(names->lists);
	strmap_release(&names->servers);
	*names = (struct server_names){0};
}

bool server_names_find(const struct server_names *names, const char *name, size_t *at)
{
	return strmap_get(&names->servers, name, at);
}
