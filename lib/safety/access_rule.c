/* SPDX-License-Identifier: PostgreSQL */
/* One rule of pg_hba.conf, and whom it is for (hba.c: check_hba, check_role, check_db). */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "safety/access_internal.h"

#define GROUPS_MAX    512	      /* of a role: more than that is not followed */
#define COVERED_WORDS ((size_t)10000) /* comparisons of two lists of databases */

static size_t net_size(const struct access_net *net)
{
	return net->kind == NET_V4 ? 4 : 16;
}

static int prefix_of(const struct access_net *net)
{
	size_t size = net_size(net) * 8, bits = 0;

	while (bits < size && net->mask[bits / 8] & (0x80 >> (bits % 8)))
		bits++;
	for (size_t i = bits; i < size; i++) {
		if (net->mask[i / 8] & (0x80 >> (i % 8)))
			return -1;
	}
	return (int)bits;
}

void access_net_read(struct access_net *out, const char *address, const char *netmask)
{
	*out = (struct access_net){.kind = NET_OTHER, .prefix = -1};
	if (!strcmp(address, "all"))
		out->kind = NET_ALL;
	else if (inet_pton(AF_INET, address, out->address) == 1 &&
		 inet_pton(AF_INET, netmask, out->mask) == 1)
		out->kind = NET_V4;
	else if (inet_pton(AF_INET6, address, out->address) == 1 &&
		 inet_pton(AF_INET6, netmask, out->mask) == 1)
		out->kind = NET_V6;
	if (out->kind == NET_V4 || out->kind == NET_V6)
		out->prefix = prefix_of(out);
}

bool access_net_local(const struct access_net *net)
{
	static const unsigned char one[16] = {[15] = 1};

	if (net->kind == NET_V4)
		return net->address[0] == 127 && net->prefix >= 8;
	return net->kind == NET_V6 && net->prefix == 128 && !memcmp(net->address, one, sizeof(one));
}

static bool net_covers(const struct rule *earlier, const struct rule *later)
{
	const struct access_net *a = &earlier->net, *b = &later->net;

	if (a->kind == NET_ALL)
		return true;
	if (a->kind != b->kind)
		return false;
	if (a->kind == NET_OTHER)
		return !strcmp(earlier->address, later->address);
	for (size_t i = 0; i < net_size(a); i++) {
		if ((b->mask[i] & a->mask[i]) != a->mask[i] ||
		    (b->address[i] & a->mask[i]) != (a->address[i] & a->mask[i]))
			return false;
	}
	return true;
}

static bool databases_cover(const struct rule *earlier, const struct rule *later)
{
	if (later->replication && !earlier->replication)
		return false;
	if (earlier->every_database)
		return true;
	if (later->every_database ||
	    earlier->databases.count * later->databases.count > COVERED_WORDS)
		return false;
	for (size_t i = 0; i < later->databases.count; i++) {
		if (!strs_has(&earlier->databases, later->databases.items[i]))
			return false;
	}
	return true;
}

bool access_covers(const struct rule *earlier, const struct rule *later)
{
	if (earlier->type != later->type && earlier->type != TYPE_HOST)
		return false;
	if (earlier->type == TYPE_OTHER || later->type == TYPE_OTHER)
		return false;
	return net_covers(earlier, later) && databases_cover(earlier, later);
}

char *access_place(const struct rule *rule)
{
	const char *name = strrchr(rule->file, '/');

	if (!rule->file[0])
		name = "pg_hba.conf";
	else
		name = name ? name + 1 : rule->file;
	return str_fmt("%s line %zu (%s)", name, rule->line, rule->text);
}

static int by_number(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

int access_candidates(size_t **out, size_t *count, const struct access *access, const char *role,
		      struct err *err)
{
	size_t first = chains_first(&access->users, role), most = access->wild_count, kept = 0;
	size_t *rules;

	for (size_t at = first; at != ACCESS_NOWHERE; at = access->users.links[at].next)
		most++;
	rules = calloc(most + 1, sizeof(*rules));
	if (!rules)
		return err_nomem(err);
	most = 0;
	for (size_t i = 0; i < access->wild_count; i++)
		rules[most++] = access->wild[i];
	for (size_t at = first; at != ACCESS_NOWHERE; at = access->users.links[at].next)
		rules[most++] = access->users.links[at].to;
	qsort(rules, most, sizeof(*rules), by_number);
	for (size_t i = 0; i < most; i++) {
		if (!kept || rules[kept - 1] != rules[i])
			rules[kept++] = rules[i];
	}
	*out = rules;
	*count = kept;
	return 0;
}

/* A role belongs to itself, and to the groups of its groups; a superuser to no more than that. */
int access_member(enum tri *out, const struct access *access, const char *role, const char *group,
		  struct err *err)
{
	struct strs groups = STRS_INIT;
	int rc = strs_add(&groups, role, err);

	*out = TRI_NO;
	for (size_t i = 0; i < groups.count && !rc && *out == TRI_NO; i++) {
		size_t at = chains_first(&access->members, groups.items[i]);

		if (!strcmp(groups.items[i], group))
			*out = TRI_YES;
		else if (groups.count > GROUPS_MAX)
			*out = TRI_MAYBE;
		for (; at != ACCESS_NOWHERE && !rc && *out == TRI_NO;
		     at = access->members.links[at].next)
			rc = strs_add_unique(
				&groups, access->groups.items[access->members.links[at].to], err);
	}
	strs_release(&groups);
	return rc;
}

static int matches_user(enum tri *out, const struct access *access, const struct rule *rule,
			size_t number, const char *role, struct err *err)
{
	enum tri found = TRI_NO;
	size_t at = chains_first(&access->users, role);
	int rc = 0;

	*out = rule->every_user ? TRI_YES : TRI_NO;
	for (; at != ACCESS_NOWHERE && *out == TRI_NO; at = access->users.links[at].next) {
		if (access->users.links[at].to == number)
			*out = TRI_YES;
	}
	for (size_t i = 0; i < rule->word_count && *out != TRI_YES && !rc; i++) {
		const struct access_word *word = &rule->words[i];

		if (word->text[0] == '+')
			rc = access_member(&found, access, role, word->text + 1, err);
		else
			rc = access_regex_match(&found, NULL, &word->regex, role, err);
		if (found != TRI_NO)
			*out = found;
	}
	return rc;
}

/* "replication" is no database, but a kind of connection for those who may have it. */
static bool matches_database(const struct access *access, const struct rule *rule, const char *role)
{
	size_t replication = 0;

	(void)strmap_get(&access->roles, role, &replication);
	return rule->databases.count > 1 || !rule->replication || replication;
}

static bool comes_to(const struct access *access, const struct rule *rule, size_t number,
		     const char *role)
{
	size_t at = chains_first(&access->users, role);

	if (rule->hidden || rule->type == TYPE_OTHER)
		return false;
	for (; at != ACCESS_NOWHERE; at = access->users.links[at].next) {
		size_t earlier = access->users.links[at].to;

		if (earlier >= number)
			break;
		if (access_covers(&access->rules[earlier], rule))
			return false;
	}
	return matches_database(access, rule, role);
}

static int name_outcome(enum tri *out, const struct access *access, const struct rule *rule,
			const char *role, const struct access_leaf *leaf, struct err *err)
{
	enum tri by_dn;
	int rc = access_map(out, access, rule->map, role,
			    rule->field == FIELD_DN ? leaf->dn : leaf->cn, err);

	if (rc || rule->field != FIELD_EITHER)
		return rc;
	rc = access_map(&by_dn, access, rule->map, role, leaf->dn, err);
	if (by_dn != *out)
		*out = TRI_MAYBE;
	return rc;
}

int access_rule_outcome(enum outcome *out, const struct access *access, const struct rule *rule,
			const char *role, const struct access_leaf *leaf, struct err *err)
{
	size_t number = (size_t)(rule - access->rules);
	enum tri his = TRI_NO, fits = TRI_YES;
	int rc = 0;

	*out = OUTCOME_NOT_HIS;
	if (!comes_to(access, rule, number, role))
		return 0;
	rc = matches_user(&his, access, rule, number, role, err);
	if (rc || his == TRI_NO)
		return rc;
	if (rule->way == WAY_OPEN)
		*out = access_net_local(&rule->net) || !strcmp(rule->address, "samehost")
			       ? OUTCOME_OPEN_LOCALLY
			       : OUTCOME_OPEN;
	else if (rule->way == WAY_REJECT)
		*out = OUTCOME_REJECT;
	if (rule->way == WAY_NAME)
		rc = name_outcome(&fits, access, rule, role, leaf, err);
	if (rule->way == WAY_NAME || rule->way == WAY_CERTIFICATE)
		*out = fits == TRI_YES	? OUTCOME_FITS
		       : fits == TRI_NO ? OUTCOME_NAME
					: OUTCOME_UNKNOWN;
	if (his == TRI_MAYBE)
		*out = OUTCOME_UNKNOWN;
	return rc;
}

enum proof_scram access_scram(const struct access *access, enum proof_scram scram_passwords)
{
	enum proof_scram result = PROOF_SCRAM_NOT_USED;

	if (access->problem)
		return PROOF_SCRAM_UNKNOWN;
	for (size_t i = 0; i < access->rule_count; i++) {
		const struct rule *rule = &access->rules[i];

		if (rule->hidden || (rule->type != TYPE_HOST && rule->type != TYPE_HOSTSSL))
			continue;
		if (!strcmp(rule->method, "scram-sha-256"))
			return PROOF_SCRAM_USED;
		/* Where the password is stored as a SCRAM verifier, md5 means SCRAM. */
		if (!strcmp(rule->method, "md5") && result == PROOF_SCRAM_NOT_USED)
			result = scram_passwords;
	}
	return result;
}
