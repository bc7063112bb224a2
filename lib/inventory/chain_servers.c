/* SPDX-License-Identifier: PostgreSQL */
/* The servers of an authority: those that the description names, and those of an inventory. */
#include "inventory/chain_read.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "inventory/chain_names.h"
#include "inventory/hosts.h"
#include "inventory/repopath.h"

#define NAME_MAX_LEN 2048

void chain_server_release(struct chain_server *server)
{
	for (size_t i = 0; i < server->name_count; i++)
		free(server->names[i].text);
	free(server->names);
	free(server->host);
}

/* Adds one name unless it is there already: host names are the same in upper and lower case. */
static int add_name(struct chain_reader *reader, struct chain_server *server, struct strmap *seen,
		    const char *text, struct err *err)
{
	char plain[NAME_MAX_LEN], folded[NAME_MAX_LEN];
	enum chain_name_kind kind;
	size_t i;
	int rc;

	if (!chain_name_classify(&kind, text, plain, sizeof(plain)))
		return err_set(err, ERR_USAGE, "'%.80s' is no host name and no address", text);
	for (i = 0; plain[i]; i++)
		folded[i] = kind == CHAIN_NAME_DNS ? (char)tolower((unsigned char)plain[i])
						   : plain[i];
	folded[i] = '\0';
	if (strmap_get(seen, folded, NULL))
		return 0;
	if (++reader->names > CHAIN_NAMES_MAX)
		return err_set(err, ERR_USAGE, "more than %d names", CHAIN_NAMES_MAX);
	/* doubles at powers of two */
	if (!(server->name_count & (server->name_count - 1))) {
		size_t cap = server->name_count ? server->name_count * 2 : 1;
		struct chain_name *names = realloc(server->names, cap * sizeof(*names));

		if (!names)
			return err_nomem(err);
		server->names = names;
	}
	rc = strmap_put(seen, folded, 0, err);
	if (rc)
		return rc;
	server->names[server->name_count] = (struct chain_name){.kind = kind,
								.text = strdup(plain)};
	return server->names[server->name_count++].text ? 0 : err_nomem(err);
}

static int names_of(struct chain_reader *reader, struct chain_server *server, struct strmap *seen,
		    const struct yaml_node *value, struct err *err)
{
	const struct yaml_node *m;
	const char *text;
	int rc = 0;

	if (yaml_is_null(value))
		return 0;
	if (value->kind != YAML_KIND_SEQUENCE && value->kind != YAML_KIND_SCALAR)
		return yaml_err(reader->yaml, value, ERR_USAGE, err, "expected a list of names");
	for (m = value->kind == YAML_KIND_SCALAR ? value : value->first; m && !rc; m = m->next) {
		if (value->kind == YAML_KIND_SEQUENCE && yaml_is_null(m))
			continue;
		rc = chain_text(reader, m, &text, err);
		if (rc)
			break;
		rc = add_name(reader, server, seen, text, err);
		if (rc == ERR_USAGE) {
			struct err why = err ? *err : (struct err){0};

			rc = yaml_err(reader->yaml, m, ERR_USAGE, err, "%s", why.msg);
		}
		if (value->kind == YAML_KIND_SCALAR)
			break;
	}
	return rc;
}

static struct chain_server *new_server(struct chain_reader *reader,
				       struct chain_authority *authority, const char *host,
				       size_t line, struct err *err)
{
	struct chain_server *server;

	if (++reader->leaves > CHAIN_LEAVES_MAX) {
		(void)err_set(err, ERR_USAGE, "%s: more than %d servers and clients",
			      reader->chain->file, CHAIN_LEAVES_MAX);
		return NULL;
	}
	if (!(authority->server_count & (authority->server_count - 1))) {
		size_t cap = authority->server_count ? authority->server_count * 2 : 1;
		struct chain_server *servers = realloc(authority->servers, cap * sizeof(*servers));

		if (!servers) {
			(void)err_nomem(err);
			return NULL;
		}
		authority->servers = servers;
	}
	server = &authority->servers[authority->server_count++];
	*server = (struct chain_server){.host = strdup(host), .line = line};
	if (!server->host) {
		(void)err_nomem(err);
		return NULL;
	}
	return server;
}

/* Why a text cannot be a server's name; NULL where it can. */
static const char *host_problem(const char *host)
{
	enum chain_name_kind kind;

	if (!strcmp(host, "chain"))
		return "stands for the authority's bundle and cannot be a host's name";
	if (!chain_name_classify(&kind, host, NULL, 0) ||
	    (kind != CHAIN_NAME_DNS && kind != CHAIN_NAME_IP) || host[0] == '*')
		return "is no host name";
	if (!chain_name_plain(host))
		return "is longer than the 64 bytes that a certificate's CN takes";
	return NULL;
}

static int read_server(struct chain_reader *reader, struct chain_authority *authority,
		       const struct yaml_node *node, struct err *err)
{
	const char *problem = host_problem(node->key->value);
	struct strmap seen = STRMAP_INIT;
	struct chain_server *server;
	int rc;

	if (problem)
		return yaml_err(reader->yaml, node->key, ERR_USAGE, err, "%s", problem);
	server = new_server(reader, authority, node->key->value, node->key->line, err);
	if (!server)
		return ERR_USAGE;
	rc = add_name(reader, server, &seen, server->host, err);
	if (!rc)
		rc = names_of(reader, server, &seen, chain_follow(reader, node), err);
	strmap_release(&seen);
	return rc;
}

static int add_host(struct chain_reader *reader, struct chain_authority *authority,
		    const struct host *host, const char *inventory, struct err *err)
{
	const char *problem = host_problem(host->name);
	struct strmap seen = STRMAP_INIT;
	struct chain_server *server;
	enum chain_name_kind kind;
	int rc;

	if (problem)
		return err_set(err, ERR_USAGE, "%s: host '%.80s' %s", inventory, host->name,
			       problem);
	server = new_server(reader, authority, host->name, 0, err);
	if (!server)
		return ERR_USAGE;
	rc = add_name(reader, server, &seen, host->name, err);
	if (!rc && chain_name_classify(&kind, host->address, NULL, 0) &&
	    (kind == CHAIN_NAME_DNS || kind == CHAIN_NAME_IP))
		rc = add_name(reader, server, &seen, host->address, err);
	strmap_release(&seen);
	return rc;
}

/* The hosts that the description does not name itself. */
static int add_hosts(struct chain_reader *reader, struct chain_authority *authority,
		     const struct hosts *hosts, const char *inventory, struct err *err)
{
	struct strmap named = STRMAP_INIT;
	bool any = false;
	int rc = 0;

	for (size_t i = 0; i < authority->server_count && !rc; i++)
		rc = strmap_put(&named, authority->servers[i].host, i, err);
	for (size_t i = 0; i < hosts->count && !rc; i++) {
		const struct host *host = &hosts->items[i];

		any = any || host->top;
		if (host->top && !strmap_get(&named, host->name, NULL))
			rc = add_host(reader, authority, host, inventory, err);
	}
	strmap_release(&named);
	if (!rc && !any) {
		rc = err_set(err, ERR_USAGE, "%s: no group below 'all' has hosts", inventory);
		if (hosts->passed_over.count)
			(void)err_hint(err, "passed over: %s", hosts->passed_over.items[0]);
	}
	return rc;
}

static int read_inventory(struct chain_reader *reader, struct chain_authority *authority,
			  const char *inventory, struct err *err)
{
	struct chain_desc *chain = reader->chain;
	struct hosts hosts = HOSTS_INIT;
	int rc = hosts_read(&hosts, reader->root, inventory, err);

	for (size_t i = 0; !rc && i < hosts.passed_over.count; i++) {
		if (!strs_has(&chain->warnings, hosts.passed_over.items[i]))
			rc = strs_add(&chain->warnings, hosts.passed_over.items[i], err);
	}
	if (!rc)
		rc = add_hosts(reader, authority, &hosts, inventory, err);
	hosts_release(&hosts);
	return rc;
}

/* Puts the authority before a message about its inventory. */
static int from_inventory(struct chain_reader *reader, struct chain_authority *authority,
			  const struct yaml_node *node, struct err *err)
{
	char *path = NULL;
	const char *text;
	int rc;

	reader->chain->has_inventory = true;
	if (node) {
		rc = chain_text(reader, node, &text, err);
		if (rc)
			return rc;
		rc = repo_path(&path, reader->root, text, err);
	} else {
		rc = repo_path(&path, reader->root, reader->inventory, err);
	}
	if (!rc)
		rc = read_inventory(reader, authority, path, err);
	free(path);
	if (rc)
		(void)err_prefix(err, "%s:%zu: the servers of authority '%s'", reader->chain->file,
				 node ? node->line : authority->line, authority->name);
	return err_blame(err, rc, ERR_USAGE);
}

int chain_read_servers(struct chain_reader *reader, struct chain_authority *authority,
		       const struct yaml_node *mapping, struct err *err)
{
	static const char *const keys[] = {"servers", "clientservers"};
	const struct yaml_node *hosts = chain_get2(reader, mapping, "hosts", "environment");
	bool wanted = hosts != NULL;
	int rc = 0;

	for (size_t i = 0; i < 2; i++) {
		const struct yaml_node *list = chain_get(reader, mapping, keys[i]);

		wanted = wanted || yaml_get(reader->yaml, mapping, keys[i]);
		if (!list)
			continue;
		if (list->kind != YAML_KIND_MAPPING)
			return yaml_err(reader->yaml, list, ERR_USAGE, err,
					"expected a mapping from hosts to lists of names");
		for (const struct yaml_node *m = list->first; m && !rc; m = m->next) {
			if (!strcmp(m->key->value, "<<"))
				rc = yaml_err(reader->yaml, m, ERR_USAGE, err,
					      "a merge key cannot be used here");
			else
				rc = read_server(reader, authority, m, err);
		}
	}
	if (rc || !wanted)
		return rc;
	if (!hosts)
		hosts = reader->hosts;
	if (hosts || (!authority->server_count && reader->inventory))
		rc = from_inventory(reader, authority, hosts, err);
	return rc;
}
