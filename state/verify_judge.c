/* SPDX-License-Identifier: PostgreSQL */
/* What was seen of an endpoint's TLS, against what the table expects. */
#include <stdlib.h>
#include <string.h>

#include "state/login.h"
#include "state/verify_impl.h"

#define ADVICE_BUNDLE                                                                              \
	"see that the rollout brought the CA bundle (ssl_ca_file) to this server, and that it "    \
	"was reloaded"
#define ADVICE_LEAF                                                                                \
	"the server has not taken its files: read its log for 'SSL configuration was not "         \
	"reloaded', and see that the rollout reached it"

/* ---- names of CAs */

static bool signs_clients(const struct generation *gen, const char *authority)
{
	for (size_t i = 0; gen && i < gen->leaf_count; i++) {
		if (gen->leaves[i].kind == LEAF_CLIENT &&
		    !strcmp(gen->leaves[i].authority, authority))
			return true;
	}
	return false;
}

/* The certificates of the bundles against which servers verify clients. */
static int add_bundles(struct bundle *out, const struct generation *gen, struct err *err)
{
	int rc = 0;

	for (size_t a = 0; gen && a < gen->authority_count && !rc; a++) {
		const struct gen_authority *authority = &gen->authorities[a];

		if (!signs_clients(gen, authority->name))
			continue;
		for (size_t i = 0; i < authority->bundle.count && !rc; i++) {
			if (!bundle_contains(out, authority->bundle.items[i]))
				rc = bundle_add(out, authority->bundle.items[i], err);
		}
	}
	return rc;
}

static bool has_subject(const struct bundle *bundle, const struct cert *cert)
{
	for (size_t i = 0; i < bundle->count; i++) {
		if (cert_same_subject(bundle->items[i], cert))
			return true;
	}
	return false;
}

static int keep_distinct(struct bundle *out, const struct bundle *from, const struct bundle *other,
			 struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < from->count && !rc; i++) {
		if (!has_subject(other, from->items[i]))
			rc = bundle_add(out, from->items[i], err);
	}
	return rc;
}

int verify_names_init(struct ca_names *names, const struct verify_input *in, struct err *err)
{
	struct bundle older = BUNDLE_INIT, newer = BUNDLE_INIT;
	int rc = add_bundles(&older, in->old_gen, err);

	rc = rc ? rc : add_bundles(&newer, in->new_gen, err);
	rc = rc ? rc : keep_distinct(&names->old_only, &older, &newer, err);
	rc = rc ? rc : keep_distinct(&names->new_only, &newer, &older, err);
	bundle_release(&older);
	bundle_release(&newer);
	return rc;
}

void verify_names_release(struct ca_names *names)
{
	bundle_release(&names->old_only);
	bundle_release(&names->new_only);
}

static bool announces(const struct probe_result *result, const struct bundle *cas)
{
	for (size_t i = 0; i < cas->count; i++) {
		for (size_t n = 0; n < result->ca_names.count; n++) {
			if (cert_subject_is(cas->items[i], result->ca_ders[n].der,
					    result->ca_ders[n].len))
				return true;
		}
	}
	return false;
}

static int say_names(struct subject *subject, const struct probe_result *result, const char *which,
		     bool missing, struct err *err)
{
	return verify_say(subject, CHECK_CA_NAMES, check_severity(CHECK_CA_NAMES), result->address,
			  ADVICE_BUNDLE, err,
			  missing ? "does not announce the %s CAs: it does not let in clients of "
				    "theirs"
				  : "still announces the %s CAs: it lets in clients of theirs",
			  which);
}

/* PgBouncer announces no names, and generations whose CAs have the same names look alike. */
static int judge_names(struct look *look, struct subject *subject,
		       const struct probe_result *result, struct json *entry, struct err *err)
{
	const struct ca_names *names = &look->names;
	enum want want = look_wants(look, CHECK_CA_NAMES);
	bool old_seen = announces(result, &names->old_only);
	bool new_seen = announces(result, &names->new_only);
	bool old_wanted = want == WANT_OLD || want == WANT_BOTH;
	bool new_wanted = want == WANT_NEW || want == WANT_BOTH;
	bool good = true;
	int rc = 0;

	if (!result->ca_names.count || !(names->old_only.count + names->new_only.count))
		return 0;
	(void)js_set_str(entry, "announces",
			 old_seen && new_seen ? "both"
			 : old_seen	      ? "old"
			 : new_seen	      ? "new"
					      : "others");
	if (!old_seen && !new_seen && subject->endpoint->protocol == ENDPOINT_TLS) {
		subject->foreign = true;
		return verify_say(subject, CHECK_CA_NAMES, SEVERITY_INFO, result->address, NULL,
				  err, "asks for client certificates of other CAs than these");
	}
	if (want == WANT_NOTHING)
		return 0;
	if (names->old_only.count && old_seen != old_wanted) {
		good = false;
		rc = say_names(subject, result, "old", old_wanted, err);
	}
	if (!rc && names->new_only.count && new_seen != new_wanted) {
		good = false;
		rc = say_names(subject, result, "new", new_wanted, err);
	}
	verify_outcome(subject, CHECK_CA_NAMES, good);
	return rc;
}

/* ---- what is served */

static const char *name_of(enum want want)
{
	return want == WANT_OLD ? "the old one" : "the new one";
}

static int judge_served(struct look *look, struct subject *subject,
			const struct probe_result *result, struct json *entry, struct err *err)
{
	const struct verify_input *in = look->in;
	const char *name = subject->endpoint->name;
	const struct gen_leaf *want = login_served(in->target, name);
	const struct gen_leaf *older = login_server_leaf(in->old_gen, name);
	const struct gen_leaf *newer = login_server_leaf(in->new_gen, name);
	enum want wanted = look_wants(look, CHECK_LEAF);
	const char *which = NULL;
	bool same;

	if (!want)
		return findings_add(&subject->findings, "leaf-unknown", SEVERITY_INFO, name, NULL,
				    err, "no certificate of that name in the inventory");
	same = cert_equal(want->cert, result->leaf);
	(void)js_set_str(entry, "expected", cert_serial_hex(want->cert));
	if (wanted != WANT_NOTHING)
		verify_outcome(subject, CHECK_LEAF, same);
	if (same)
		return 0;
	if (older && cert_equal(older->cert, result->leaf))
		which = "the old certificate";
	else if (newer && cert_equal(newer->cert, result->leaf))
		which = "the new certificate";
	if (which)
		return verify_say(subject, CHECK_LEAF, check_severity(CHECK_LEAF), result->address,
				  ADVICE_LEAF, err, "serves %s, not %s", which, name_of(wanted));
	return verify_say(subject, CHECK_LEAF, check_severity(CHECK_LEAF), result->address,
			  ADVICE_LEAF, err,
			  "serves a certificate that is not the inventory's (%s, serial %s), not "
			  "serial %s",
			  cert_subject(result->leaf), cert_serial_hex(result->leaf),
			  cert_serial_hex(want->cert));
}

static int judge_trust(struct subject *subject, const struct probe_result *result, struct err *err)
{
	int rc = 0;

	verify_outcome(subject, CHECK_TRUSTED, result->trusted);
	if (!result->trusted)
		return verify_say(
			subject, CHECK_TRUSTED, check_severity(CHECK_TRUSTED), result->address,
			"see which certificate it serves, and who changed it", err,
			"clients with today's bundle refuse it: %s", result->verify_error);
	verify_outcome(subject, CHECK_NAME, result->name_matches);
	if (!result->name_matches)
		rc = verify_say(subject, CHECK_NAME, check_severity(CHECK_NAME), result->address,
				"clients with sslmode=verify-full refuse it under this name", err,
				"the certificate that it serves is not made out for that name");
	return rc;
}

/* ---- somebody without a certificate */

static int let_in(struct subject *subject, const struct probe_result *result, const char *how,
		  struct err *err)
{
	bool other = subject->endpoint->protocol == ENDPOINT_TLS;

	verify_outcome(subject, CHECK_NO_CLIENT, false);
	return verify_say(subject, CHECK_NO_CLIENT,
			  other ? SEVERITY_INFO : check_severity(CHECK_NO_CLIENT), result->address,
			  other ? NULL
				: "where this is not meant, write 'hostssl … cert' or "
				  "'clientcert=verify-full' in its pg_hba.conf",
			  err, "%s", how);
}

static int judge_nobody(struct look *look, struct subject *subject,
			const struct probe_result *result, struct err *err)
{
	bool postgres = subject->endpoint->protocol != ENDPOINT_TLS;

	if (look_wants(look, CHECK_NO_CLIENT) != WANT_OUT)
		return 0;
	if (result->outcome == PROBE_ALERT) {
		verify_outcome(subject, CHECK_NO_CLIENT, true);
		return 0;
	}
	if (result->outcome != PROBE_CONNECTED)
		return 0;
	if (result->login == PROBE_LOGIN_OK)
		return let_in(subject, result, "lets somebody in without certificate and password",
			      err);
	/*
	 * Class F0: without a loaded ssl_ca_file PostgreSQL asks for no certificate, and refuses
	 * whom a line of pg_hba.conf demands one of, in the language of its lc_messages.
	 */
	if (!result->client_asked && result->login == PROBE_LOGIN_ERROR &&
	    !strncmp(result->sqlstate, "F0", 2)) {
		subject->unable = true;
		verify_outcome(subject, CHECK_NO_CLIENT, true);
		return 0;
	}
	if (!result->client_asked)
		return let_in(subject, result, "asks for no client certificate", err);
	if (!postgres)
		return let_in(subject, result, "lets in who shows no certificate", err);
	if (result->login == PROBE_LOGIN_CONTINUE)
		return verify_say(subject, CHECK_NO_CLIENT, SEVERITY_INFO, result->address, NULL,
				  err, "asks for a password where no certificate is shown");
	/* Class 28: invalid authorization; others ("too many clients") say nothing about that. */
	if (result->login == PROBE_LOGIN_ERROR && !strncmp(result->sqlstate, "28", 2))
		verify_outcome(subject, CHECK_NO_CLIENT, true);
	return 0;
}

/* ---- the whole of one look */

static struct json *leaf_json(const struct subject *subject, const struct probe_result *result)
{
	struct json *entry = js_new_object();

	(void)js_set_str(entry, "endpoint", subject->place);
	(void)js_set_str(entry, "address", result->address);
	(void)js_set_str(entry, "outcome", probe_outcome_name(result->outcome));
	(void)js_set_str(entry, "serial", result->leaf ? cert_serial_hex(result->leaf) : NULL);
	(void)js_set_str(entry, "tls", result->version);
	return entry;
}

static const char *advice_of(enum probe_outcome outcome)
{
	switch (outcome) {
	case PROBE_NOT_TLS:
		return "switch TLS on there (ssl = on), or name the right port and protocol in "
		       "certrotate.yml's endpoints";
	case PROBE_ALERT:
	case PROBE_CLOSED:
	case PROBE_TLS_FAILED:
		return "read the server's log: it says why the TLS handshake ended";
	case PROBE_LOCAL:
		return "see what is short on this machine: 'ulimit -n' limits connections";
	case PROBE_CONNECTED:
	case PROBE_NO_ADDRESS:
	case PROBE_REFUSED:
	case PROBE_UNREACHABLE:
	case PROBE_TIMEOUT:
	case PROBE_OUTCOME__MAX:
		break;
	}
	return "start it, or name the right address and port in certrotate.yml's endpoints; or "
	       "leave the host out: --waive 'hosts=NAME:REASON'";
}

int judge_leaf(struct look *look, struct subject *subject, const struct probe_result *result,
	       struct err *err)
{
	struct json *entry = leaf_json(subject, result);
	bool wanted = look_wants(look, CHECK_ENDPOINT) != WANT_NOTHING;
	int rc = js_push(subject->leaves, entry) ? err_nomem(err) : 0;

	if (rc)
		return rc;
	if (wanted)
		verify_outcome(subject, CHECK_ENDPOINT, result->leaf != NULL);
	if (!result->leaf)
		return verify_say(subject, CHECK_ENDPOINT, check_severity(CHECK_ENDPOINT),
				  result->address, advice_of(result->outcome), err, "%s",
				  result->reason);
	subject->answered = true;
	subject->asks |= result->client_asked;
	rc = judge_served(look, subject, result, entry, err);
	rc = rc ? rc : judge_trust(subject, result, err);
	rc = rc ? rc : judge_names(look, subject, result, entry, err);
	return rc ? rc : judge_nobody(look, subject, result, err);
}

int judge_client(struct look *look, struct subject *subject, const struct attempt *attempt,
		 enum client_word word, const char *address, const char *reason, struct err *err)
{
	const char *generation = attempt->check == CHECK_OLD_CLIENT ? "old" : "new";
	bool in = look_wants(look, attempt->check) == WANT_IN;
	const char *what;

	/* Who asks for none neither lets a certificate in nor refuses it: see judge_nobody. */
	if (word == CLIENT_NOT_ASKED)
		return 0;
	verify_outcome(subject, attempt->check, in ? word == CLIENT_IN : word == CLIENT_OUT);
	if (word == (in ? CLIENT_IN : CLIENT_OUT))
		return 0;
	what = word == CLIENT_IN    ? "still opens it"
	       : word == CLIENT_OUT ? "does not get in"
	       : in		    ? "may not get in"
				    : "may still open it";
	return verify_say(subject, attempt->check, check_severity(attempt->check), address,
			  ADVICE_BUNDLE, err, "the %s client certificate (user %s) %s: %s",
			  generation, attempt->leaf->name, what, reason);
}
