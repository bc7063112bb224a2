/* SPDX-License-Identifier: PostgreSQL */
/* User name maps (hba.c: check_usermap, check_ident_usermap). */
#include <stdlib.h>
#include <string.h>

#include "safety/access_internal.h"

/* The role's name with what was captured in the place of the first \1. */
static char *substitute(const char *role, const char *capture)
{
	const char *at = strstr(role, "\\1");

	if (!at)
		return strdup(role);
	return str_fmt("%.*s%s%s", (int)(at - role), role, capture, at + 2);
}

/* The name is the mapping's; is the role? */
static int role_matches(enum tri *out, const struct access *access, const struct mapping *mapping,
			const char *role, struct err *err)
{
	if (access->version >= 160000 && !strcmp(mapping->role, "all")) {
		*out = TRI_YES;
		return 0;
	}
	if (access->version >= 160000 && mapping->role[0] == '+')
		return access_member(out, access, role, mapping->role + 1, err);
	if (mapping->role_is_regex)
		return access_regex_match(out, NULL, &mapping->role_regex, role, err);
	*out = strcmp(mapping->role, role) ? TRI_NO : TRI_YES;
	return 0;
}

/* *stop: PostgreSQL gives up at this line. */
static int special_matches(enum tri *out, bool *stop, const struct access *access,
			   const struct mapping *mapping, const char *role, const char *identity,
			   struct err *err)
{
	bool wants = mapping->system_regex && strstr(mapping->role, "\\1") &&
		     (access->version < 160000 || mapping->role[0] != '+');
	char *capture = NULL, *given = NULL;
	int rc = 0;

	if (mapping->system_regex)
		rc = access_regex_match(out, &capture, &mapping->regex, identity, err);
	else
		*out = strcmp(mapping->system, identity) ? TRI_NO : TRI_YES;
	if (!rc && *out == TRI_YES && wants && !capture) {
		*stop = true;
		*out = TRI_NO;
	} else if (!rc && *out == TRI_YES && wants) {
		given = substitute(mapping->role, capture);
		rc = given ? 0 : err_nomem(err);
		*out = !rc && !strcmp(given, role) ? TRI_YES : TRI_NO;
	} else if (!rc && *out == TRI_YES) {
		rc = role_matches(out, access, mapping, role, err);
	} else if (!rc && *out == TRI_MAYBE && !wants) {
		/* What it would give is known to be another. */
		enum tri role_fits;

		rc = role_matches(&role_fits, access, mapping, role, err);
		*out = role_fits == TRI_NO ? TRI_NO : TRI_MAYBE;
	}
	free(capture);
	free(given);
	return rc;
}

static int find_exact(size_t *out, const struct access *access, const char *map, const char *role,
		      const char *identity, struct err *err)
{
	char *key = str_fmt("%s\n%s\n%s", map, identity, role);

	*out = ACCESS_NOWHERE;
	if (!key)
		return err_nomem(err);
	(void)strmap_get(&access->exact, key, out);
	free(key);
	return 0;
}

int access_map(enum tri *out, const struct access *access, const char *map, const char *role,
	       const char *identity, struct err *err)
{
	size_t exact = ACCESS_NOWHERE, at = ACCESS_NOWHERE;
	bool stop = false, maybe = false;
	int rc = 0;

	*out = TRI_NO;
	/* "client certificate contains no user name" */
	if (!identity[0])
		return 0;
	if (!map) {
		*out = strcmp(identity, role) ? TRI_NO : TRI_YES;
		return 0;
	}
	*out = TRI_MAYBE;
	if (!access->mappings_known || access->broken_mapping)
		return 0;
	rc = find_exact(&exact, access, map, role, identity, err);
	(void)strmap_get(&access->maps, map, &at);
	*out = TRI_NO;
	/* In the file's order, as far as the line that is right as it stands. */
	for (; !rc && !stop && *out != TRI_YES && at < exact;
	     at = access->mappings[at].next_special) {
		rc = special_matches(out, &stop, access, &access->mappings[at], role, identity,
				     err);
		maybe |= *out == TRI_MAYBE;
	}
	if (!rc && !stop && *out != TRI_YES && exact != ACCESS_NOWHERE)
		*out = TRI_YES;
	if (!rc && *out != TRI_YES)
		*out = maybe ? TRI_MAYBE : TRI_NO;
	return rc;
}

static int add_role(struct strs *out, const struct access *access, const char *role,
		    struct err *err)
{
	return access_has_role(access, role) ? strs_add_unique(out, role, err) : 0;
}

static int roles_of_name(struct strs *out, const struct access *access, const char *identity,
			 struct err *err)
{
	size_t at = chains_first(&access->systems, identity);
	int rc = 0;

	for (; at != ACCESS_NOWHERE && !rc; at = access->systems.links[at].next)
		rc = add_role(out, access, access->mappings[access->systems.links[at].to].role,
			      err);
	for (size_t i = 0; i < access->regex_count && !rc; i++) {
		const struct mapping *mapping = &access->mappings[access->regexes[i]];
		char *capture = NULL, *role = NULL;
		enum tri found;

		rc = access_regex_match(&found, &capture, &mapping->regex, identity, err);
		if (!rc && found == TRI_YES) {
			role = substitute(mapping->role, capture ? capture : "");
			rc = role ? add_role(out, access, role, err) : err_nomem(err);
		}
		free(capture);
		free(role);
	}
	return rc;
}

int access_roles(struct strs *out, const struct access *access, const char *user,
		 const struct access_leaf *leaf, struct err *err)
{
	int rc = add_role(out, access, user, err);

	rc = rc ? rc : add_role(out, access, leaf->cn, err);
	rc = rc ? rc : roles_of_name(out, access, leaf->cn, err);
	return rc ? rc : roles_of_name(out, access, leaf->dn, err);
}
