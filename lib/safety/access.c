/* SPDX-License-Identifier: PostgreSQL */
/* What a server says, taken in. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "safety/access_internal.h"

#define SHOWN 3 /* words of a list in a message */

int chains_add(struct chains *chains, const char *name, size_t to, struct err *err)
{
	size_t tail = ACCESS_NOWHERE;
	int rc;

	if (chains->count == chains->cap) {
		size_t cap = chains->cap ? chains->cap * 2 : 64;
		struct link *links = realloc(chains->links, cap * sizeof(*links));

		if (!links)
			return err_nomem(err);
		chains->links = links;
		chains->cap = cap;
	}
	if (strmap_get(&chains->tails, name, &tail))
		chains->links[tail].next = chains->count;
	rc = tail == ACCESS_NOWHERE ? strmap_put(&chains->heads, name, chains->count, err) : 0;
	rc = rc ? rc : strmap_put(&chains->tails, name, chains->count, err);
	chains->links[chains->count++] = (struct link){to, ACCESS_NOWHERE};
	return rc;
}

size_t chains_first(const struct chains *chains, const char *name)
{
	size_t first = ACCESS_NOWHERE;

	return strmap_get(&chains->heads, name, &first) ? first : ACCESS_NOWHERE;
}

void chains_release(struct chains *chains)
{
	strmap_release(&chains->heads);
	strmap_release(&chains->tails);
	free(chains->links);
	*chains = (struct chains){.links = NULL};
}

const char *access_verdict_name(enum access_verdict verdict)
{
	static const char *const names[ACCESS__MAX] = {
		[ACCESS_FITS] = "fits",		  [ACCESS_NAME] = "name",
		[ACCESS_OTHERWISE] = "otherwise", [ACCESS_NONE] = "none",
		[ACCESS_UNKNOWN] = "unknown",
	};

	return names[verdict];
}

int access_new(struct access **out, const char *server, int version, struct err *err)
{
	struct access *access = calloc(1, sizeof(*access));

	if (!access)
		return err_nomem(err);
	access->version = version;
	access->server = strdup(server);
	if (!access->server) {
		free(access);
		return err_nomem(err);
	}
	*out = access;
	return 0;
}

static void rule_release(struct rule *rule)
{
	free(rule->file);
	free(rule->address);
	free(rule->netmask);
	free(rule->method);
	free(rule->map);
	free(rule->text);
	strs_release(&rule->databases);
	strs_release(&rule->users);
	for (size_t i = 0; i < rule->word_count; i++) {
		free(rule->words[i].text);
		access_regex_release(&rule->words[i].regex);
	}
	free(rule->words);
}

static void mapping_release(struct mapping *mapping)
{
	free(mapping->file);
	free(mapping->map);
	free(mapping->system);
	free(mapping->role);
	access_regex_release(&mapping->regex);
	access_regex_release(&mapping->role_regex);
}

void access_free(struct access *access)
{
	if (!access)
		return;
	for (size_t i = 0; i < access->rule_count; i++)
		rule_release(&access->rules[i]);
	for (size_t i = 0; i < access->mapping_count; i++)
		mapping_release(&access->mappings[i]);
	free(access->rules);
	free(access->mappings);
	free(access->wild);
	free(access->regexes);
	chains_release(&access->users);
	chains_release(&access->systems);
	chains_release(&access->members);
	strmap_release(&access->exact);
	strmap_release(&access->maps);
	strmap_release(&access->roles);
	strs_release(&access->groups);
	free(access->problem);
	free(access->server);
	free(access);
}

static void read_options(struct rule *rule, char *options)
{
	char *save = NULL;

	for (char *option = strtok_r(options, "\n", &save); option;
	     option = strtok_r(NULL, "\n", &save)) {
		if (str_starts(option, "map=") && option[4])
			rule->map = strdup(option + 4);
		else if (!strcmp(option, "clientcert=verify-full"))
			rule->way = WAY_NAME;
		/* Before PostgreSQL 14 also "1". */
		else if (str_starts(option, "clientcert=") && rule->way == WAY_OPEN &&
			 strcmp(option, "clientcert=no-verify") != 0)
			rule->way = WAY_CERTIFICATE;
		else if (!strcmp(option, "clientname=DN"))
			rule->field = FIELD_DN;
	}
}

static void read_kind(struct rule *rule, const char *type)
{
	static const struct {
		const char *name;
		enum access_type type;
	} types[] = {
		{"host", TYPE_HOST},	       {"hostssl", TYPE_HOSTSSL},
		{"hostnossl", TYPE_HOSTNOSSL}, {"hostgssenc", TYPE_OTHER},
		{"hostnogssenc", TYPE_HOST},   {"local", TYPE_OTHER},
	};

	rule->type_name = "";
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!strcmp(types[i].name, type)) {
			rule->type = types[i].type;
			rule->type_name = types[i].name;
		}
	}
	if (!strcmp(rule->method, "reject"))
		rule->way = WAY_REJECT;
	else if (!strcmp(rule->method, "cert"))
		rule->way = WAY_NAME;
}

int access_add_rule(struct access *access, const struct access_rule *from, struct err *err)
{
	struct rule *rule;
	char *options;

	if (access->rule_count == access->rule_cap) {
		size_t cap = access->rule_cap ? access->rule_cap * 2 : 32;
		struct rule *rules = realloc(access->rules, cap * sizeof(*rules));

		if (!rules)
			return err_nomem(err);
		access->rules = rules;
		access->rule_cap = cap;
	}
	rule = &access->rules[access->rule_count];
	*rule = (struct rule){.line = from->line, .error = from->error};
	options = strdup(from->options);
	rule->file = strdup(from->file);
	rule->address = strdup(from->address);
	rule->netmask = strdup(from->netmask);
	rule->method = strdup(from->method);
	if (!options || !rule->file || !rule->address || !rule->netmask || !rule->method) {
		free(options);
		rule_release(rule);
		return err_nomem(err);
	}
	access->rule_count++;
	access_net_read(&rule->net, rule->address, rule->netmask);
	read_kind(rule, from->type);
	read_options(rule, options);
	free(options);
	return 0;
}

static int find_rule(struct rule **out, struct access *access, size_t rule, struct err *err)
{
	if (rule >= access->rule_count)
		return err_set(err, ERR_FAIL, "%s: pg_hba_file_rules changed while it was read",
			       access->server);
	*out = &access->rules[rule];
	return 0;
}

int access_add_database(struct access *access, size_t number, const char *word, struct err *err)
{
	struct rule *rule = NULL;
	int rc = find_rule(&rule, access, number, err);

	if (rc)
		return rc;
	if (!strcmp(word, "all"))
		rule->every_database = true;
	if (!strcmp(word, "replication"))
		rule->replication = true;
	return strs_add(&rule->databases, word, err);
}

static int add_word(struct rule *rule, const char *word, struct err *err)
{
	struct access_word *words = realloc(rule->words, (rule->word_count + 1) * sizeof(*words));
	struct access_word *added;

	if (!words)
		return err_nomem(err);
	rule->words = words;
	added = &words[rule->word_count];
	*added = (struct access_word){.text = strdup(word)};
	if (!added->text)
		return err_nomem(err);
	rule->word_count++;
	return word[0] == '/' ? access_regex_init(&added->regex, word + 1, err) : 0;
}

int access_add_user(struct access *access, size_t number, const char *word, struct err *err)
{
	struct rule *rule = NULL;
	int rc = find_rule(&rule, access, number, err);

	if (rc)
		return rc;
	rule->user_count++;
	if (rule->users.count <= SHOWN)
		rc = strs_add(&rule->users, word, err);
	if (rc)
		return rc;
	if (!strcmp(word, "all")) {
		rule->every_user = true;
		return 0;
	}
	if (word[0] == '+' || (word[0] == '/' && access->version >= 160000))
		return add_word(rule, word, err);
	return chains_add(&access->users, word, number, err);
}

int access_add_clientname(struct access *access, const char *file, size_t line, const char *name,
			  struct err *err)
{
	struct rule *rule = NULL;

	(void)err;
	for (size_t i = 0; i < access->rule_count; i++) {
		struct rule *each = &access->rules[i];

		/* The last one that begins there or above. */
		if (each->line <= line && (!each->file[0] || !strcmp(each->file, file)) &&
		    (!rule || each->line > rule->line))
			rule = each;
	}
	if (rule)
		rule->field = strcmp(name, "DN") ? FIELD_CN : FIELD_DN;
	return 0;
}

void access_names_known(struct access *access)
{
	access->names_known = true;
}

/* Two plain names, or something that has to be worked out. */
static int read_mapping(struct mapping *mapping, int version, struct err *err)
{
	int rc = 0;

	mapping->system_regex = mapping->system[0] == '/';
	mapping->special = mapping->system_regex;
	if (mapping->system_regex)
		rc = access_regex_init(&mapping->regex, mapping->system + 1, err);
	if (rc || version < 160000)
		return rc;
	if (mapping->role[0] == '/') {
		mapping->role_is_regex = true;
		rc = access_regex_init(&mapping->role_regex, mapping->role + 1, err);
	}
	if (mapping->role[0] == '/' || mapping->role[0] == '+' || !strcmp(mapping->role, "all"))
		mapping->special = true;
	return rc;
}

int access_add_mapping(struct access *access, const struct access_mapping *from, struct err *err)
{
	struct mapping *mapping;

	if (from->error) {
		access->broken_mapping = from->line ? from->line : 1;
		return 0;
	}
	if (access->mapping_count == access->mapping_cap) {
		size_t cap = access->mapping_cap ? access->mapping_cap * 2 : 32;
		struct mapping *mappings = realloc(access->mappings, cap * sizeof(*mappings));

		if (!mappings)
			return err_nomem(err);
		access->mappings = mappings;
		access->mapping_cap = cap;
	}
	mapping = &access->mappings[access->mapping_count];
	*mapping = (struct mapping){.line = from->line, .next_special = ACCESS_NOWHERE};
	mapping->file = strdup(from->file);
	mapping->map = strdup(from->map);
	mapping->system = strdup(from->system);
	mapping->role = strdup(from->role);
	if (!mapping->file || !mapping->map || !mapping->system || !mapping->role) {
		mapping_release(mapping);
		return err_nomem(err);
	}
	access->mapping_count++;
	return read_mapping(mapping, access->version, err);
}

void access_mappings_known(struct access *access)
{
	access->mappings_known = true;
}

int access_add_role(struct access *access, const char *name, bool replication, struct err *err)
{
	return strmap_put(&access->roles, name, replication ? 1 : 0, err);
}

int access_add_member(struct access *access, const char *role, const char *member, struct err *err)
{
	int rc = strs_add(&access->groups, role, err);

	return rc ? rc : chains_add(&access->members, member, access->groups.count - 1, err);
}

const char *access_server(const struct access *access)
{
	return access->server;
}

const char *access_problem(const struct access *access)
{
	return access->problem;
}

bool access_has_role(const struct access *access, const char *role)
{
	return strmap_get(&access->roles, role, NULL);
}

static void add_list(struct buf *out, const struct strs *words, size_t count)
{
	for (size_t i = 0; i < words->count && i < SHOWN; i++) {
		buf_adds(out, i ? "," : " ");
		buf_add_safe(out, words->items[i], strlen(words->items[i]));
	}
	if (count > SHOWN)
		buf_adds(out, ",…");
}

/* As it stands in the file, nearly: for messages. */
static int write_rule(struct rule *rule, struct err *err)
{
	static const char *const options[] = {[WAY_OPEN] = "",
					      [WAY_REJECT] = "",
					      [WAY_CERTIFICATE] = " clientcert=verify-ca",
					      [WAY_NAME] = " clientcert=verify-full"};
	struct buf buf;

	buf_init(&buf, (size_t)64 << 10);
	buf_adds(&buf, rule->type_name);
	add_list(&buf, &rule->databases, rule->databases.count);
	add_list(&buf, &rule->users, rule->user_count);
	buf_addf(&buf, " %s", rule->address);
	if (rule->net.prefix >= 0)
		buf_addf(&buf, "/%d", rule->net.prefix);
	else if (rule->netmask[0])
		buf_addf(&buf, " %s", rule->netmask);
	buf_addf(&buf, " %s%s", rule->method,
		 strcmp(rule->method, "cert") ? options[rule->way] : "");
	if (rule->field == FIELD_DN)
		buf_adds(&buf, " clientname=DN");
	if (rule->map)
		buf_addf(&buf, " map=%s", rule->map);
	rule->text = buf_detach(&buf);
	return rule->text ? 0 : err_nomem(err);
}

static int finish_rules(struct access *access, struct err *err)
{
	int rc = 0;

	access->wild = calloc(access->rule_count + 1, sizeof(*access->wild));
	if (!access->wild)
		return err_nomem(err);
	for (size_t i = 0; i < access->rule_count && !rc; i++) {
		struct rule *rule = &access->rules[i];

		if (rule->error && !access->problem) {
			access->problem = str_fmt(
				"line %zu of pg_hba.conf has an error: the server "
				"goes on with the rules that it read before",
				rule->line);
			rc = access->problem ? 0 : err_nomem(err);
		}
		/* Without a map a DN would have to be a role's name. */
		if (!access->names_known && access->version >= 140000 && rule->map &&
		    rule->field == FIELD_CN)
			rule->field = FIELD_EITHER;
		for (size_t k = 0; k < access->wild_count && !rule->hidden; k++) {
			const struct rule *earlier = &access->rules[access->wild[k]];

			rule->hidden = earlier->every_user && access_covers(earlier, rule);
		}
		if (rule->every_user || rule->word_count)
			access->wild[access->wild_count++] = i;
		rc = rc ? rc : write_rule(rule, err);
	}
	return rc;
}

/* From the last to the first: what is put last is the first of its kind. */
static int finish_mappings(struct access *access, struct err *err)
{
	int rc = 0;

	for (size_t i = access->mapping_count; i-- > 0 && !rc;) {
		struct mapping *mapping = &access->mappings[i];
		size_t first = ACCESS_NOWHERE;
		char *key;

		(void)strmap_get(&access->maps, mapping->map, &first);
		mapping->next_special = first;
		rc = strmap_put(&access->maps, mapping->map, mapping->special ? i : first, err);
		if (rc || mapping->special)
			continue;
		key = str_fmt("%s\n%s\n%s", mapping->map, mapping->system, mapping->role);
		rc = key ? strmap_put(&access->exact, key, i, err) : err_nomem(err);
		free(key);
	}
	access->regexes = rc ? NULL : calloc(access->mapping_count + 1, sizeof(*access->regexes));
	if (!rc && !access->regexes)
		return err_nomem(err);
	for (size_t i = 0; i < access->mapping_count && !rc; i++) {
		if (access->mappings[i].system_regex)
			access->regexes[access->regex_count++] = i;
		else
			rc = chains_add(&access->systems, access->mappings[i].system, i, err);
	}
	return rc;
}

int access_finish(struct access *access, struct err *err)
{
	int rc = finish_rules(access, err);

	if (!rc && !access->rule_count) {
		access->problem = strdup("pg_hba_file_rules shows no rule at all");
		rc = access->problem ? 0 : err_nomem(err);
	}
	return rc ? rc : finish_mappings(access, err);
}
