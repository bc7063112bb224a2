/* SPDX-License-Identifier: PostgreSQL */
/* Old and new leaves of all users against all servers: one finding for a user, not for each pair.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "safety/access_internal.h"

#define CHECK	    "client-mapping"
#define NAMES_SHOWN 8

enum kind { KIND_LOST, KIND_FAILS, KIND_NEW, KIND_DOUBT };

/* A user on several servers; or for a doubt, a server and several users. */
struct entry {
	enum kind kind;
	char *about; /* the user; the server */
	char *text;
	char *advice;
	struct strs names; /* the servers; the users: the first ones */
	size_t count;
};

struct access_report {
	struct entry *entries;
	size_t count, cap;
	struct strmap index; /* "KIND\nABOUT" */
	size_t verdicts[ACCESS__MAX];
};

int access_report_new(struct access_report **out, struct err *err)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : err_nomem(err);
}

void access_report_free(struct access_report *report)
{
	if (!report)
		return;
	for (size_t i = 0; i < report->count; i++) {
		free(report->entries[i].about);
		free(report->entries[i].text);
		free(report->entries[i].advice);
		strs_release(&report->entries[i].names);
	}
	free(report->entries);
	strmap_release(&report->index);
	free(report);
}

/* Takes text and advice over; they are those of the first of its kind. */
static int add_entry(struct access_report *report, enum kind kind, const char *about,
		     const char *name, char *text, char *advice, struct err *err)
{
	char *key = str_fmt("%d\n%s", (int)kind, about);
	size_t at = report->count;
	struct entry *entry;
	int rc = key && text ? 0 : err_nomem(err);

	if (!rc && !strmap_get(&report->index, key, &at) && report->count == report->cap) {
		size_t cap = report->cap ? report->cap * 2 : 32;
		struct entry *entries = realloc(report->entries, cap * sizeof(*entries));

		if (entries) {
			report->entries = entries;
			report->cap = cap;
		} else {
			rc = err_nomem(err);
		}
	}
	if (!rc && at == report->count) {
		rc = strmap_put(&report->index, key, at, err);
		if (!rc) {
			report->entries[report->count++] = (struct entry){.kind = kind,
									  .about = strdup(about),
									  .text = text,
									  .advice = advice};
			text = advice = NULL;
			rc = report->entries[at].about ? 0 : err_nomem(err);
		}
	}
	entry = rc ? NULL : &report->entries[at];
	if (entry && entry->count++ < NAMES_SHOWN)
		rc = strs_add(&entry->names, name, err);
	free(key);
	free(text);
	free(advice);
	return rc;
}

struct user {
	const char *name;
	const struct access_leaf *old;
	const struct access_leaf *newer;
};

static int add_lost(struct access_report *report, const struct access *access,
		    const struct user *user, const char *role, size_t number, struct err *err)
{
	const struct rule *rule = &access->rules[number];
	const char *field = access_field_name(rule);
	char *place = access_place(rule), *text = NULL, *advice;

	if (place)
		text = str_fmt("%s%s%s%s lets in the %s '%s' of the old certificate as role %s, "
			       "not the new one's '%s'",
			       place, rule->map ? ", map '" : "", rule->map ? rule->map : "",
			       rule->map ? "'," : "", field, access_identity(rule, user->old), role,
			       access_identity(rule, user->newer));
	if (rule->map)
		advice = str_fmt("before clients are switched, add this line to pg_ident.conf "
				 "there and reload: %s \"%s\" %s",
				 rule->map, access_identity(rule, user->newer), role);
	else
		advice = str_fmt("issue the new certificate with the CN %s, or give that line a "
				 "map that knows both names",
				 role);
	free(place);
	return add_entry(report, KIND_LOST, user->name, access->server, text, advice, err);
}

static int add_refused(struct access_report *report, const struct access *access,
		       const struct user *user, const char *role, size_t number, struct err *err)
{
	const struct rule *rule = &access->rules[number];
	char *place = access_place(rule), *text = NULL, *advice;

	if (place)
		text = str_fmt("%s%s%s%s does not let in the %s '%s' of the %s as role %s", place,
			       rule->map ? ", map '" : "", rule->map ? rule->map : "",
			       rule->map ? "'," : "", access_field_name(rule),
			       access_identity(rule, user->newer),
			       user->old ? "new certificate, nor the old one" : "new user", role);
	free(place);
	advice = strdup(user->old ? "the login fails today and will fail: see whether the user "
				    "needs that server, and which name pg_ident.conf should have"
				  : "add the name to pg_ident.conf before the user is needed");
	return add_entry(report, user->old ? KIND_FAILS : KIND_NEW, user->name, access->server,
			 text, advice, err);
}

static int add_doubt(struct access_report *report, const struct access *access, const char *user,
		     size_t number, struct err *err)
{
	const struct rule *rule = &access->rules[number];
	char *place = access_place(rule), *doubt = access_doubt(access, rule), *text = NULL;

	if (place && doubt)
		text = str_fmt("%s: %s", place, doubt);
	free(place);
	free(doubt);
	return add_entry(report, KIND_DOUBT, access->server, user, text,
			 strdup("let the login user read the rules (see certrotate(1), WHAT "
				"SERVERS ARE ASKED), "
				"or log in with the new certificate by hand once it is trusted"),
			 err);
}

static bool same_leaf(const struct access_leaf *a, const struct access_leaf *b)
{
	return !strcmp(a->cn, b->cn) && !strcmp(a->dn, b->dn);
}

/* The better one for the user; what is not known may be good. */
static bool better(enum access_verdict verdict, enum access_verdict than)
{
	static const int rank[ACCESS__MAX] = {
		[ACCESS_NONE] = 0,	[ACCESS_NAME] = 1, [ACCESS_UNKNOWN] = 2,
		[ACCESS_OTHERWISE] = 3, [ACCESS_FITS] = 4,
	};

	return rank[verdict] > rank[than];
}

/* The best of his roles decides whether he gets in at all; what is lost is said of any of them. */
static int hold(struct access_report *report, const struct access *access, const struct user *user,
		const struct strs *roles, struct err *err)
{
	enum access_verdict best = ACCESS_NONE, before;
	const char *best_role = NULL;
	struct access_pair pair, best_pair = {.lost = ACCESS_NOWHERE};
	bool lost = false, changed = !user->old || !same_leaf(user->old, user->newer);
	int rc = 0;

	for (size_t i = 0; i < roles->count && !rc; i++) {
		enum access_verdict verdict;

		rc = access_compare(&pair, access, roles->items[i], changed ? user->old : NULL,
				    user->newer, err);
		if (rc)
			break;
		verdict = access_survey_verdict(&pair.newer);
		if (!best_role || better(verdict, best)) {
			best = verdict;
			best_pair = pair;
			best_role = roles->items[i];
		}
		if (pair.lost != ACCESS_NOWHERE && !lost) {
			lost = true;
			rc = add_lost(report, access, user, roles->items[i], pair.lost, err);
		}
	}
	if (rc || !best_role)
		return rc;
	report->verdicts[best]++;
	before = access_survey_verdict(&best_pair.old);
	if (!lost && best == ACCESS_NAME && changed && user->old && before == ACCESS_UNKNOWN)
		return add_doubt(report, access, user->name, best_pair.old.first[OUTCOME_UNKNOWN],
				 err);
	if (!lost && best == ACCESS_NAME)
		return add_refused(report, access, user, best_role,
				   best_pair.newer.first[OUTCOME_NAME], err);
	if (!lost && best == ACCESS_UNKNOWN && changed)
		return add_doubt(report, access, user->name, best_pair.newer.first[OUTCOME_UNKNOWN],
				 err);
	return 0;
}

int access_report_add(struct access_report *report, const struct access *access, const char *name,
		      const struct access_leaf *old, const struct access_leaf *newer,
		      struct err *err)
{
	const struct user user = {name, old, newer};
	struct strs roles = STRS_INIT;
	int rc;

	rc = access_roles(&roles, access, name, old ? old : newer, err);
	if (!rc && roles.count && access->problem) {
		report->verdicts[ACCESS_UNKNOWN]++;
		if (!old || !same_leaf(old, newer))
			rc = add_entry(report, KIND_DOUBT, access->server, name,
				       strdup(access->problem),
				       strdup("mend pg_hba.conf there, and reload"), err);
	} else if (!rc) {
		rc = hold(report, access, &user, &roles, err);
	}
	strs_release(&roles);
	return rc;
}

static int write_entry(struct findings *out, const struct entry *entry, struct err *err)
{
	static const enum severity severities[] = {[KIND_LOST] = SEVERITY_BLOCK,
						   [KIND_FAILS] = SEVERITY_WARNING,
						   [KIND_NEW] = SEVERITY_WARNING,
						   [KIND_DOUBT] = SEVERITY_INFO};
	char names[1024], more[64] = "";
	char *subject;
	int rc;

	if (entry->kind == KIND_DOUBT) {
		subject = str_fmt("server %s", entry->about);
		strs_join(&entry->names, NAMES_SHOWN, names, sizeof(names));
		if (entry->count > entry->names.count)
			(void)snprintf(more, sizeof(more), " and %zu more",
				       entry->count - entry->names.count);
		rc = subject ? findings_add(out, CHECK, severities[entry->kind], subject,
					    entry->advice, err,
					    "whether the new certificate of %s%s gets in is not "
					    "known: %s",
					    names, more, entry->text)
			     : err_nomem(err);
	} else {
		subject = str_fmt("client %s", entry->about);
		if (entry->count > 1)
			(void)snprintf(more, sizeof(more), " (and on %zu more)", entry->count - 1);
		rc = subject ? findings_add(out, CHECK, severities[entry->kind], subject,
					    entry->advice, err, "on %s%s, %s",
					    entry->names.items[0], more, entry->text)
			     : err_nomem(err);
	}
	free(subject);
	return rc;
}

int access_report_findings(struct findings *out, const struct access_report *report,
			   struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < report->count && !rc; i++)
		rc = write_entry(out, &report->entries[i], err);
	return rc;
}

size_t access_report_count(const struct access_report *report, enum access_verdict verdict)
{
	return report->verdicts[verdict];
}
