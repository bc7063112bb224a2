/* SPDX-License-Identifier: PostgreSQL */
#include "inventory/chain.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/file.h"
#include "inventory/chain_names.h"
#include "inventory/chain_read.h"
#include "inventory/schema.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const top_keys[] = {
	"subject", "intermediates", "key", "days", "hosts", "environment", "chain",
	/* what else the two chainsmiths read */
	"tmpdir", "certspath", "privatekeyspath", "configfile", "output", "pem", "debug",
	"root_ca_path", "intermediate_ca_path", "root_expiry", "root_key_usages",
	"root_extra_key_usages", "certificates", "store", "expiry", "keys", "root"};
static const char *const authority_keys[] = {"name",
					     "servers",
					     "clients",
					     "clientservers",
					     "keyUsages",
					     "key_usages",
					     "extendedKeyUsages",
					     "extended_key_usages",
					     "hosts",
					     "environment",
					     "key",
					     "days",
					     "cert",
					     "expiry",
					     "root_expiry"};

/* The name of a key algorithm in "key" of this mapping, else *out stays as it is. */
static int read_key(const struct chain_reader *reader, const struct yaml_node *mapping,
		    const char **out, struct err *err)
{
	const struct yaml_node *node = chain_get(reader, mapping, "key");
	const char *const *names, *text;
	size_t count;
	int rc;

	if (!node)
		return 0;
	rc = chain_text(reader, node, &text, err);
	if (rc)
		return rc;
	names = chain_key_names(&count);
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(names[i], text)) {
			*out = names[i];
			return 0;
		}
	}
	(void)yaml_err(reader->yaml, node, ERR_USAGE, err, "'%.60s' is no key algorithm", text);
	return schema_suggest(text, names, count, err);
}

static int read_days(const struct chain_reader *reader, const struct yaml_node *mapping,
		     unsigned *out, struct err *err)
{
	const struct yaml_node *node = chain_get(reader, mapping, "days");
	int64_t value;

	if (!node)
		return 0;
	if (!yaml_int(node, &value) || value < 1 || value > CHAIN_CA_DAYS)
		return yaml_err(reader->yaml, node, ERR_USAGE, err,
				"expected a number from 1 to %d: an authority is valid no longer",
				CHAIN_CA_DAYS);
	*out = (unsigned)value;
	return 0;
}

static int read_usages(const struct chain_reader *reader, struct strs *out,
		       const struct yaml_node *node, bool extended, struct err *err)
{
	const struct yaml_node *m = node && node->kind == YAML_KIND_SCALAR ? node : NULL;
	int rc = 0;

	if (!node)
		return 0;
	if (!m && node->kind != YAML_KIND_SEQUENCE)
		return yaml_err(reader->yaml, node, ERR_USAGE, err, "expected a list");
	for (m = m ? m : node->first; m && !rc;
	     m = node->kind == YAML_KIND_SCALAR ? NULL : m->next) {
		const char *text, *name, *const *words;
		size_t count;

		rc = chain_text(reader, m, &text, err);
		if (rc)
			break;
		name = chain_usage_name(text, extended);
		if (name) {
			rc = strs_add_unique(out, name, err);
			continue;
		}
		(void)yaml_err(reader->yaml, m, ERR_USAGE, err, "'%.60s' is no %skey usage", text,
			       extended ? "extended " : "");
		words = chain_usage_words(extended, &count);
		rc = schema_suggest(text, words, count, err);
	}
	return rc;
}

/* What an authority's leaves are for decides where nothing is said; as both chainsmiths. */
static int default_usages(struct chain_authority *authority, bool both, struct err *err)
{
	static const char *const usual[] = {"digitalSignature", "keyEncipherment",
					    "dataEncipherment"};
	bool none = !authority->key_usages.count;
	int rc = 0;

	for (size_t i = 0; none && i < COUNT(usual) && !rc; i++)
		rc = strs_add(&authority->key_usages, usual[i], err);
	if (rc || authority->ext_usages.count)
		return rc;
	if (authority->server_count)
		rc = strs_add(&authority->ext_usages, "serverAuth", err);
	if (!rc && (authority->clients.count || both))
		rc = strs_add(&authority->ext_usages, "clientAuth", err);
	return rc;
}

/* Leaves that their peers would refuse: chainsmith issues them, so it is said and no error. */
static int warn_usages(const struct chain_reader *reader, const struct chain_authority *authority,
		       struct err *err)
{
	bool any = strs_has(&authority->ext_usages, "anyExtendedKeyUsage");
	int rc = 0;

	if (authority->server_count && !any && !strs_has(&authority->ext_usages, "serverAuth"))
		rc = strs_addf(&reader->chain->warnings, err,
			       "%s:%zu: extendedKeyUsages of authority '%s' lack serverAuth: "
			       "clients will refuse its servers",
			       reader->chain->file, authority->line, authority->name);
	if (!rc && authority->clients.count && !any &&
	    !strs_has(&authority->ext_usages, "clientAuth"))
		rc = strs_addf(&reader->chain->warnings, err,
			       "%s:%zu: extendedKeyUsages of authority '%s' lack clientAuth: "
			       "servers will refuse its clients",
			       reader->chain->file, authority->line, authority->name);
	return rc;
}

static int read_client(struct chain_reader *reader, struct chain_authority *authority,
		       struct strmap *seen, const struct yaml_node *node, struct err *err)
{
	const char *user;
	int rc = chain_text(reader, node, &user, err);

	if (rc)
		return rc;
	if (!strcmp(user, "chain"))
		return yaml_err(reader->yaml, node, ERR_USAGE, err,
				"'chain' stands for the authority's bundle and cannot be a "
				"user's name");
	if (!chain_name_plain(user))
		return yaml_err(reader->yaml, node, ERR_USAGE, err,
				"'%.80s' cannot be a user's name: at most 64 bytes, no slash, no "
				"blank at either end",
				user);
	if (strmap_get(seen, user, NULL)) /* both chainsmiths issue one certificate */
		return 0;
	if (++reader->leaves > CHAIN_LEAVES_MAX)
		return yaml_err(reader->yaml, node, ERR_USAGE, err,
				"more than %d servers and clients", CHAIN_LEAVES_MAX);
	rc = strmap_put(seen, user, 0, err);
	return rc ? rc : strs_add(&authority->clients, user, err);
}

static int read_clients(struct chain_reader *reader, struct chain_authority *authority,
			const struct yaml_node *list, struct err *err)
{
	struct strmap seen = STRMAP_INIT;
	int rc = 0;

	if (!list)
		return 0;
	if (list->kind != YAML_KIND_SEQUENCE)
		return yaml_err(reader->yaml, list, ERR_USAGE, err, "expected a list of users");
	for (const struct yaml_node *m = list->first; m && !rc; m = m->next)
		rc = read_client(reader, authority, &seen, m, err);
	/* both would stand under one key in certs.yml */
	for (size_t i = 0; i < authority->server_count && !rc; i++) {
		const struct chain_server *server = &authority->servers[i];

		if (strmap_get(&seen, server->host, NULL))
			rc = yaml_err(reader->yaml, list, ERR_USAGE, err,
				      "'%s' is a server of this authority already", server->host);
	}
	strmap_release(&seen);
	return rc;
}

/*
 * channel binding hashes the certificate with its signature's digest (RFC 5929, section 4.1), and
 * Ed25519 names none: libpq then fails every SCRAM login.
 */
static int check_key(const struct chain_reader *reader, const struct chain_authority *authority,
		     const struct yaml_node *mapping, struct err *err)
{
	const struct yaml_node *node = chain_get(reader, mapping, "key");

	if (!authority->server_count || strcmp(authority->key, "ed25519") != 0)
		return 0;
	(void)yaml_err(reader->yaml, node ? node : mapping, ERR_USAGE, err,
		       "ed25519 cannot be used for the servers of authority '%s': a server "
		       "certificate signed with Ed25519 breaks SCRAM channel binding",
		       authority->name);
	(void)err_hint(err, "use ecdsa-p256 for this authority");
	return ERR_USAGE;
}

static int read_settings(struct chain_reader *reader, struct chain_authority *authority,
			 const struct yaml_node *mapping, struct err *err)
{
	const char *key = reader->chain->key;
	int rc = chain_warn_keys(reader, mapping, authority_keys, COUNT(authority_keys), err);

	authority->days = reader->chain->days;
	if (!rc)
		rc = read_key(reader, mapping, &key, err);
	if (!rc)
		rc = read_days(reader, mapping, &authority->days, err);
	if (!rc) {
		authority->key = strdup(key);
		rc = authority->key ? 0 : err_nomem(err);
	}
	if (!rc)
		rc = read_usages(reader, &authority->key_usages,
				 chain_get2(reader, mapping, "keyUsages", "key_usages"), false,
				 err);
	if (!rc)
		rc = read_usages(
			reader, &authority->ext_usages,
			chain_get2(reader, mapping, "extendedKeyUsages", "extended_key_usages"),
			true, err);
	return rc;
}

/* node is an item of the list, or a member of the mapping by name. */
static int read_authority(struct chain_reader *reader, struct chain_authority *authority,
			  const char *name, size_t line, const struct yaml_node *mapping,
			  struct err *err)
{
	int rc = 0;

	authority->name = strdup(name);
	authority->line = line;
	if (!authority->name)
		rc = err_nomem(err);
	if (!rc)
		rc = read_settings(reader, authority, mapping, err);
	if (!rc)
		rc = chain_read_servers(reader, authority, mapping, err);
	if (!rc)
		rc = read_clients(reader, authority, chain_get(reader, mapping, "clients"), err);
	if (!rc && !authority->server_count && !authority->clients.count) {
		(void)err_set(err, ERR_USAGE,
			      "%s:%zu: authority '%s' has neither servers nor clients",
			      reader->chain->file, line, name);
		(void)err_hint(err, "servers: {HOST: [NAME…]}, clients: [USER…]");
		return ERR_USAGE;
	}
	if (!rc)
		rc = default_usages(authority, chain_get(reader, mapping, "clientservers") != NULL,
				    err);
	if (!rc)
		rc = warn_usages(reader, authority, err);
	return rc ? rc : check_key(reader, authority, mapping, err);
}

/* The name of an item, unique among names. */
static int authority_name(const struct chain_reader *reader, struct strmap *names,
			  const struct yaml_node *item, const struct yaml_node *mapping,
			  const char **out, size_t *line, struct err *err)
{
	const struct yaml_node *node = item->key ? item->key : chain_get(reader, mapping, "name");
	int rc;

	if (mapping->kind != YAML_KIND_MAPPING)
		return yaml_err(reader->yaml, mapping, ERR_USAGE, err, "expected a mapping");
	if (!node)
		return yaml_err(reader->yaml, mapping, ERR_USAGE, err, "'name' is missing");
	rc = chain_text(reader, node, out, err);
	if (rc)
		return rc;
	*line = node->line;
	if (!chain_name_plain(*out))
		return yaml_err(reader->yaml, node, ERR_USAGE, err,
				"'%.80s' cannot be an authority's name: at most 64 bytes, no "
				"slash, no blank at either end",
				*out);
	if (strmap_get(names, *out, NULL))
		return yaml_err(reader->yaml, node, ERR_USAGE, err,
				"another authority is called '%s' already", *out);
	return strmap_put(names, *out, 0, err);
}

static int read_authorities(struct chain_reader *reader, const struct yaml_node *list,
			    struct err *err)
{
	struct chain_desc *chain = reader->chain;
	struct strmap names = STRMAP_INIT;
	int rc = 0;

	if (list->kind != YAML_KIND_SEQUENCE && list->kind != YAML_KIND_MAPPING)
		return yaml_err(reader->yaml, list, ERR_USAGE, err,
				"expected a list of authorities");
	if (!list->count)
		return yaml_err(reader->yaml, list, ERR_USAGE, err, "there is no authority");
	chain->authorities = calloc(list->count, sizeof(*chain->authorities));
	if (!chain->authorities)
		return err_nomem(err);
	for (const struct yaml_node *m = list->first; m && !rc; m = m->next) {
		const struct yaml_node *mapping = chain_follow(reader, m);
		const char *name = NULL;
		size_t line = 0;

		rc = authority_name(reader, &names, m, mapping, &name, &line, err);
		if (!rc && name)
			rc = read_authority(reader, &chain->authorities[chain->authority_count++],
					    name, line, mapping, err);
	}
	strmap_release(&names);
	return rc;
}

static int no_authorities(const struct chain_reader *reader, const struct yaml_node *root,
			  struct err *err)
{
	static const char *const wanted[] = {"intermediates"};
	const struct yaml_node *empty = yaml_get(reader->yaml, root, wanted[0]);

	if (empty)
		return yaml_err(reader->yaml, empty, ERR_USAGE, err, "there is no authority");
	(void)err_set(err, ERR_USAGE, "%s: 'intermediates' is missing", reader->chain->file);
	for (const struct yaml_node *m = root->first; m; m = m->next) {
		if (str_nearest(m->key->value, wanted, 1))
			(void)err_hint(err, "line %zu says '%.60s'", m->key->line, m->key->value);
	}
	return ERR_USAGE;
}

static int read_document(struct chain_reader *reader, struct err *err)
{
	const struct yaml_node *root = yaml_root(reader->yaml), *body, *list, *subject;
	const char *key = CHAIN_KEY;
	int rc;

	if (!root || root->kind != YAML_KIND_MAPPING)
		return err_set(err, ERR_USAGE, "%s: expected a chain's description",
			       reader->chain->file);
	rc = chain_warn_keys(reader, root, top_keys, COUNT(top_keys), err);
	if (!rc)
		rc = read_key(reader, root, &key, err);
	if (!rc)
		rc = read_days(reader, root, &reader->chain->days, err);
	if (rc)
		return rc;
	reader->chain->key = strdup(key);
	if (!reader->chain->key)
		return err_nomem(err);
	reader->hosts = chain_get2(reader, root, "hosts", "environment");
	/* the Go chainsmith's other form has all of it below "chain" */
	body = chain_get(reader, root, "chain");
	body = body && body->kind == YAML_KIND_MAPPING ? body : root;
	subject = chain_get(reader, body, "subject");
	if (!subject && body != root)
		subject = chain_get(reader,
				    chain_get(reader, chain_get(reader, body, "root"), "cert"),
				    "subject");
	if (!subject && body != root)
		subject = chain_get(reader, root, "subject");
	rc = chain_read_subject(reader, subject, err);
	if (rc)
		return rc;
	list = chain_get(reader, body, "intermediates");
	return list ? read_authorities(reader, list, err) : no_authorities(reader, root, err);
}

int chain_parse(struct chain_desc **out, const char *text, size_t len, const char *file,
		const char *root, const char *inventory, struct err *err)
{
	struct chain_reader reader = {.root = root, .inventory = inventory};
	struct yaml *yaml = NULL;
	int rc;

	*out = NULL;
	reader.chain = calloc(1, sizeof(*reader.chain));
	if (!reader.chain)
		return err_nomem(err);
	reader.chain->days = CHAIN_LEAF_DAYS;
	reader.chain->file = strdup(file);
	rc = reader.chain->file ? yaml_parse(&yaml, text, len, file, NULL, err) : err_nomem(err);
	reader.yaml = yaml;
	if (!rc)
		rc = chain_read_anchors(&reader, err);
	if (!rc)
		rc = read_document(&reader, err);
	free(reader.anchors);
	yaml_drop(yaml);
	if (rc) {
		chain_free(reader.chain);
		return err_blame(err, rc, ERR_USAGE);
	}
	*out = reader.chain;
	return 0;
}

int chain_load(struct chain_desc **out, const char *root, const char *file, const char *inventory,
	       struct err *err)
{
	char *path = path_join(root, file);
	struct buf text;
	int rc;

	*out = NULL;
	if (!path)
		return err_nomem(err);
	buf_init(&text, CHAIN_TEXT_MAX + 1);
	rc = file_read(&text, path, CHAIN_TEXT_MAX, err);
	if (rc)
		(void)err_hint(err, "'chain' in certrotate.yml says where the chain's description "
				    "is");
	else
		rc = chain_parse(out, text.data, text.len, file, root, inventory, err);
	buf_release(&text);
	free(path);
	return rc;
}

void chain_free(struct chain_desc *chain)
{
	if (!chain)
		return;
	for (size_t i = 0; i < chain->authority_count; i++) {
		struct chain_authority *authority = &chain->authorities[i];

		for (size_t j = 0; j < authority->server_count; j++)
			chain_server_release(&authority->servers[j]);
		free(authority->servers);
		free(authority->name);
		free(authority->key);
		strs_release(&authority->clients);
		strs_release(&authority->key_usages);
		strs_release(&authority->ext_usages);
	}
	for (size_t i = 0; i < chain->subject_count; i++) {
		free(chain->subject[i].type);
		free(chain->subject[i].value);
	}
	free(chain->authorities);
	free(chain->subject);
	free(chain->file);
	free(chain->key);
	strs_release(&chain->warnings);
	free(chain);
}

const struct chain_authority *chain_authority_find(const struct chain_desc *chain, const char *name)
{
	for (size_t i = 0; i < chain->authority_count; i++) {
		if (!strcmp(chain->authorities[i].name, name))
			return &chain->authorities[i];
	}
	return NULL;
}

int chain_server_sans(struct strs *out, const struct chain_server *server, struct err *err)
{
	static const char *const prefixes[CHAIN_NAME__MAX] = {[CHAIN_NAME_DNS] = "DNS:",
							      [CHAIN_NAME_IP] = "IP:",
							      [CHAIN_NAME_EMAIL] = "email:",
							      [CHAIN_NAME_URI] = "URI:"};
	int rc = 0;

	for (size_t i = 0; i < server->name_count && !rc; i++)
		rc = strs_addf(out, err, "%s%s", prefixes[server->names[i].kind],
			       server->names[i].text);
	return rc;
}
