/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "safety/access_internal.h"

static void note(struct access_survey *survey, enum outcome outcome, size_t rule)
{
	if (survey->first[outcome] == ACCESS_NOWHERE)
		survey->first[outcome] = rule;
}

int access_compare(struct access_pair *out, const struct access *access, const char *role,
		   const struct access_leaf *old, const struct access_leaf *newer, struct err *err)
{
	size_t *rules = NULL, count = 0;
	int rc = access_candidates(&rules, &count, access, role, err);

	out->lost = ACCESS_NOWHERE;
	for (size_t i = 0; i < OUTCOME__MAX; i++)
		out->old.first[i] = out->newer.first[i] = ACCESS_NOWHERE;
	for (size_t i = 0; i < count && !rc; i++) {
		const struct rule *rule = &access->rules[rules[i]];
		enum outcome before = OUTCOME_NOT_HIS, after;

		rc = access_rule_outcome(&after, access, rule, role, newer, err);
		if (!rc && old)
			rc = access_rule_outcome(&before, access, rule, role, old, err);
		if (rc)
			break;
		note(&out->newer, after, rules[i]);
		note(&out->old, before, rules[i]);
		if (before == OUTCOME_FITS && after == OUTCOME_NAME && out->lost == ACCESS_NOWHERE)
			out->lost = rules[i];
	}
	free(rules);
	return rc;
}

enum access_verdict access_survey_verdict(const struct access_survey *survey)
{
	/* What lets the server's own host in says nothing of clients. */
	static const struct {
		enum outcome outcome;
		enum access_verdict verdict;
	} order[] = {
		{OUTCOME_FITS, ACCESS_FITS},
		{OUTCOME_OPEN, ACCESS_OTHERWISE},
		{OUTCOME_UNKNOWN, ACCESS_UNKNOWN},
		{OUTCOME_NAME, ACCESS_NAME},
		{OUTCOME_OPEN_LOCALLY, ACCESS_OTHERWISE},
	};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (survey->first[order[i].outcome] != ACCESS_NOWHERE)
			return order[i].verdict;
	}
	return ACCESS_NONE;
}

const char *access_field_name(const struct rule *rule)
{
	return rule->field == FIELD_DN ? "DN" : "CN";
}

const char *access_identity(const struct rule *rule, const struct access_leaf *leaf)
{
	return rule->field == FIELD_DN ? leaf->dn : leaf->cn;
}

char *access_doubt(const struct access *access, const struct rule *rule)
{
	if (rule->map && !access->mappings_known)
		return str_fmt("map '%s' is in pg_ident.conf, which cannot be read", rule->map);
	if (rule->map && access->broken_mapping)
		return str_fmt("line %zu of pg_ident.conf has an error: the server goes on with "
			       "what it read before",
			       access->broken_mapping);
	if (rule->field == FIELD_EITHER)
		return str_fmt("whether it compares the CN or the DN (clientname) stands in the "
			       "file alone, which cannot be read");
	return str_fmt("a regular expression there means something that only PostgreSQL knows");
}

static int say(struct access_judgement *out, const struct access *access,
	       const struct access_survey *survey, const char *role, const struct access_leaf *leaf,
	       struct err *err)
{
	static const enum outcome of[ACCESS__MAX] = {
		[ACCESS_FITS] = OUTCOME_FITS,	    [ACCESS_NAME] = OUTCOME_NAME,
		[ACCESS_OTHERWISE] = OUTCOME_OPEN,  [ACCESS_NONE] = OUTCOME_REJECT,
		[ACCESS_UNKNOWN] = OUTCOME_UNKNOWN,
	};
	size_t number = survey->first[of[out->verdict]];
	const struct rule *rule;
	char *place, *doubt;

	if (number == ACCESS_NOWHERE && out->verdict == ACCESS_OTHERWISE)
		number = survey->first[OUTCOME_OPEN_LOCALLY];
	if (number == ACCESS_NOWHERE) {
		(void)snprintf(out->why, sizeof(out->why),
			       "no line of pg_hba.conf is for role %s over the network", role);
		return 0;
	}
	rule = &access->rules[number];
	place = access_place(rule);
	doubt = access_doubt(access, rule);
	if (!place || !doubt) {
		free(place);
		free(doubt);
		return err_nomem(err);
	}
	if (out->verdict == ACCESS_UNKNOWN)
		(void)snprintf(out->why, sizeof(out->why), "%s: %s", place, doubt);
	else if (out->verdict == ACCESS_NAME && rule->map)
		(void)snprintf(out->why, sizeof(out->why),
			       "%s: map '%s' does not give role %s to the %s '%s'", place,
			       rule->map, role, access_field_name(rule),
			       access_identity(rule, leaf));
	else if (out->verdict == ACCESS_NAME)
		(void)snprintf(out->why, sizeof(out->why),
			       "%s asks for the %s '%s', the certificate has '%s'", place,
			       access_field_name(rule), role, access_identity(rule, leaf));
	else
		(void)snprintf(out->why, sizeof(out->why), "%s %s role %s%s", place,
			       out->verdict == ACCESS_NONE ? "refuses" : "lets in", role,
			       out->verdict == ACCESS_OTHERWISE ? " without comparing a certificate"
								: "");
	free(place);
	free(doubt);
	return 0;
}

int access_judge(struct access_judgement *out, const struct access *access, const char *role,
		 const struct access_leaf *leaf, struct err *err)
{
	struct access_pair pair;
	int rc;

	*out = (struct access_judgement){.verdict = ACCESS_UNKNOWN};
	if (access->problem) {
		(void)snprintf(out->why, sizeof(out->why), "%s", access->problem);
		return 0;
	}
	rc = access_compare(&pair, access, role, NULL, leaf, err);
	if (rc)
		return rc;
	out->verdict = access_survey_verdict(&pair.newer);
	return say(out, access, &pair.newer, role, leaf, err);
}
