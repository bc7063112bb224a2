/* SPDX-License-Identifier: PostgreSQL */
/* What was seen of an endpoint against what is expected: every finding's words. */
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/native.h"
#include "state/login.h"
#include "state/verify_impl.h"
#include "tests/state/suites.h"

static struct arena *arena;
static struct test_chain old_chain, new_chain, other_chain;
static struct generation old_gen, new_gen;
static struct cert *strange;

/* What one look is about. */
static struct target target;
static struct verify_input input;
static struct look look;
static struct endpoint endpoint;
static struct subject subject;
static char here[] = "db1", nowhere[] = "db9", at[] = "10.0.4.42";

static void make(struct generation *gen, struct test_chain *chain, const char *id)
{
	fixture_generation(gen, arena, chain, id, BOTH_AUTHORITIES);
	fixture_add_leaf(gen, arena, chain, "server", "db1", LEAF_SERVER);
	fixture_add_leaf(gen, arena, chain, "client", "postgres", LEAF_CLIENT);
}

static void setup(void)
{
	struct key *key = NULL;

	arena = arena_new(1 << 20);
	make(&old_gen, &old_chain, "g1");
	make(&new_gen, &new_chain, "g2");
	test_chain_init(&other_chain, "elsewhere");
	strange = test_server(&other_chain, &key, "db1");
	key_free(key);
	endpoint = (struct endpoint){.name = here, .address = at, .port = 5432};
	input = (struct verify_input){.target = &target, .old_gen = &old_gen, .new_gen = &new_gen};
	look = (struct look){.in = &input};
}

static void forget(void)
{
	findings_release(&subject.findings);
	js_free(subject.leaves);
	js_free(subject.logins);
	subject = (struct subject){.endpoint = &endpoint,
				   .place = "db1:5432",
				   .alone = true,
				   .addresses = 1,
				   .leaves = js_new_array(),
				   .logins = js_new_array()};
}

static void begin(enum state state)
{
	struct err err = {0};

	target_release(&target);
	verify_names_release(&look.names);
	if (state == STATE_IDLE) /* after a prune: the live one is what was new */
		ck_ok(target_init(&target, state, &new_gen, NULL, &err), &err);
	else
		ck_ok(target_init(&target, state, &old_gen, &new_gen, &err), &err);
	ck_ok(verify_names_init(&look.names, &input, &err), &err);
	forget();
}

static void teardown(void)
{
	forget();
	js_free(subject.leaves);
	js_free(subject.logins);
	target_release(&target);
	verify_names_release(&look.names);
	generation_release(&old_gen);
	generation_release(&new_gen);
	test_chain_release(&old_chain);
	test_chain_release(&new_chain);
	test_chain_release(&other_chain);
	cert_free(strange);
	arena_free(arena);
}

static const struct cert *served_of(const struct generation *gen)
{
	return generation_leaf(gen, "server", "db1")->cert;
}

/* A good answer of a PostgreSQL server that lets nobody in without a certificate. */
static struct probe_result answer(const struct cert *leaf)
{
	return (struct probe_result){.address = "10.0.4.42",
				     .outcome = PROBE_CONNECTED,
				     .login = PROBE_LOGIN_ERROR,
				     .sqlstate = "28000",
				     .version = "TLSv1.3",
				     .reason = "TLSv1.3",
				     .leaf = (struct cert *)leaf,
				     .client_asked = true,
				     .trusted = true,
				     .name_matches = true};
}

static void judge(const struct probe_result *result)
{
	struct err err = {0};

	ck_ok(judge_leaf(&look, &subject, result, &err), &err);
}

/* "CHECK SEVERITY REASON" of each finding, a line each. */
static const char *said(void)
{
	static char text[4096];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < subject.findings.count; i++) {
		const struct finding *finding = &subject.findings.items[i];

		ck_assert_str_eq(finding->subject, "db1");
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %s %s", i ? "\n" : "",
					finding->check, severity_name(finding->severity),
					finding->reason);
	}
	return text;
}

START_TEST(the_leaf_is_the_one_of_the_state)
{
	struct probe_result old_leaf = answer(served_of(&old_gen));
	struct probe_result new_leaf = answer(served_of(&new_gen));

	begin(STATE_TRUSTED);
	judge(&old_leaf);
	ck_assert_str_eq(said(), "");
	ck_assert_int_eq(subject.outcomes[CHECK_LEAF], OUTCOME_HELD);
	ck_assert(subject.answered && subject.asks && !subject.differs);
	begin(STATE_TRUSTED);
	judge(&new_leaf);
	ck_assert_str_eq(said(), "leaf-served block serves the new certificate, not the old one");
	begin(STATE_SERVERS_SWITCHED);
	judge(&old_leaf);
	ck_assert_str_eq(said(), "leaf-served block serves the old certificate, not the new one");
	ck_assert_int_eq(subject.outcomes[CHECK_LEAF], OUTCOME_FAILED);
	ck_assert(subject.differs);
	begin(STATE_IDLE);
	judge(&old_leaf);
	ck_assert_str_eq(said(), "leaf-served block serves the old certificate, not the new one");
	begin(STATE_IDLE);
	judge(&new_leaf);
	ck_assert_str_eq(said(), "");
}
END_TEST

START_TEST(a_strange_leaf_is_described)
{
	struct probe_result result = answer(strange);
	char want[512];

	result.trusted = false;
	(void)snprintf(result.verify_error, sizeof(result.verify_error), "unknown issuer");
	(void)snprintf(want, sizeof(want),
		       "leaf-served block serves a certificate that is not the inventory's (%s, "
		       "serial %s), not serial %s\n"
		       "leaf-trusted block clients with today's bundle refuse it: unknown issuer",
		       cert_subject(strange), cert_serial_hex(strange),
		       cert_serial_hex(served_of(&old_gen)));
	begin(STATE_TRUSTED);
	judge(&result);
	ck_assert_str_eq(said(), want);
	endpoint.name = nowhere;
	result = answer(strange);
	result.name_matches = false;
	forget();
	subject.findings.count = 0;
	judge(&result);
	ck_assert_uint_eq(subject.findings.count, 2);
	ck_assert_str_eq(subject.findings.items[0].check, "leaf-unknown");
	ck_assert_str_eq(subject.findings.items[1].reason,
			 "the certificate that it serves is not made out for that name");
	ck_assert_int_eq(subject.outcomes[CHECK_LEAF], OUTCOME_NONE);
}
END_TEST

START_TEST(who_does_not_answer_is_named_with_its_address)
{
	struct probe_result result = {
		.address = "10.0.4.42", .outcome = PROBE_REFUSED, .reason = "connection refused"};

	begin(STATE_TRUSTED);
	judge(&result);
	ck_assert_str_eq(said(), "endpoint block 10.0.4.42 port 5432: connection refused");
	ck_assert(!subject.answered);
	ck_assert_int_eq(subject.outcomes[CHECK_LEAF], OUTCOME_NONE);
}
END_TEST

START_TEST(one_of_several_addresses_is_named)
{
	struct probe_result good = answer(served_of(&old_gen));
	struct probe_result wrong = answer(served_of(&new_gen));

	begin(STATE_TRUSTED);
	subject.addresses = 2;
	(void)snprintf(wrong.address, sizeof(wrong.address), "10.0.4.43");
	judge(&wrong);
	judge(&good);
	ck_assert_str_eq(said(), "leaf-served block 10.0.4.43: serves the new certificate, not the "
				 "old one");
	ck_assert_int_eq(subject.outcomes[CHECK_LEAF], OUTCOME_FAILED);
	forget();
	subject.addresses = 2;
	subject.alone = false;
	judge(&wrong);
	ck_assert_str_eq(said(), "leaf-served block 10.0.4.43 port 5432: serves the new "
				 "certificate, not the old one");
	forget();
	subject.alone = false;
	judge(&wrong);
	ck_assert_str_eq(said(), "leaf-served block port 5432: serves the new certificate, not the "
				 "old one");
}
END_TEST

/* ---- the CA names */

static void announce(struct probe_result *result, const struct test_chain *chain,
		     struct probe_name *names)
{
	struct err err = {0};

	for (size_t i = 0; i < chain->bundle.count; i++) {
		const struct cert *cert = chain->bundle.items[i];
		struct probe_name *ca = &names[result->ca_names.count];
		const unsigned char *der;

		ck_ok(strs_add(&result->ca_names, cert_subject(cert), &err), &err);
		ck_assert_int_eq(X509_NAME_get0_der(X509_get_subject_name(cert_native(cert)), &der,
						    &ca->len),
				 1);
		ca->der = malloc(ca->len);
		memcpy(ca->der, der, ca->len);
	}
}

static void names_case(enum state state, const char *announced, enum endpoint_protocol protocol,
		       const char *want)
{
	struct probe_name names[8] = {{NULL, 0}};
	struct probe_result result;

	begin(state);
	endpoint.protocol = protocol;
	result = answer(login_served(&target, "db1")->cert);
	result.ca_ders = names;
	if (strchr(announced, 'o'))
		announce(&result, &old_chain, names);
	if (strchr(announced, 'n'))
		announce(&result, &new_chain, names);
	if (strchr(announced, 'x'))
		announce(&result, &other_chain, names);
	if (protocol == ENDPOINT_TLS)
		result.outcome = PROBE_ALERT;
	judge(&result);
	ck_assert_str_eq(said(), want);
	for (size_t i = 0; i < result.ca_names.count; i++)
		free(names[i].der);
	strs_release(&result.ca_names);
	endpoint.protocol = ENDPOINT_POSTGRES;
}

#define LACKS(which)                                                                               \
	"ca-names block does not announce the " which " CAs: it does not let in clients of theirs"
#define STILL(which)                                                                               \
	"ca-names block still announces the " which " CAs: it lets in clients of theirs"

START_TEST(the_announced_cas_are_those_of_the_state)
{
	names_case(STATE_GENERATED, "o", ENDPOINT_POSTGRES, "");
	names_case(STATE_GENERATED, "on", ENDPOINT_POSTGRES, STILL("new"));
	names_case(STATE_TRUSTED, "on", ENDPOINT_POSTGRES, "");
	names_case(STATE_TRUSTED, "onx", ENDPOINT_POSTGRES, "");
	names_case(STATE_TRUSTED, "o", ENDPOINT_POSTGRES, LACKS("new"));
	names_case(STATE_CLIENTS_SWITCHED, "n", ENDPOINT_POSTGRES, LACKS("old"));
	names_case(STATE_TRUSTED, "x", ENDPOINT_POSTGRES, LACKS("old") "\n" LACKS("new"));
	names_case(STATE_IDLE, "n", ENDPOINT_POSTGRES, "");
	names_case(STATE_IDLE, "on", ENDPOINT_POSTGRES, STILL("old"));
	names_case(STATE_IDLE, "o", ENDPOINT_POSTGRES, STILL("old") "\n" LACKS("new"));
	names_case(STATE_IDLE, "on", ENDPOINT_TLS, STILL("old"));
	names_case(STATE_ABSENT, "on", ENDPOINT_POSTGRES, "");
}
END_TEST

START_TEST(of_names_that_tell_nothing_nothing_is_said)
{
	/* PgBouncer */
	names_case(STATE_TRUSTED, "", ENDPOINT_POSTGRES, "");
	ck_assert_int_eq(subject.outcomes[CHECK_CA_NAMES], OUTCOME_NONE);
	/* a service with CAs of its own */
	names_case(STATE_TRUSTED, "x", ENDPOINT_TLS,
		   "ca-names info asks for client certificates of other CAs than these");
	ck_assert(subject.foreign);
	/* the generation before is not known */
	input.old_gen = NULL;
	names_case(STATE_IDLE, "on", ENDPOINT_POSTGRES, "");
	ck_assert_int_eq(subject.outcomes[CHECK_CA_NAMES], OUTCOME_HELD);
	/* both have the same names */
	input.old_gen = &new_gen;
	names_case(STATE_TRUSTED, "n", ENDPOINT_POSTGRES, "");
	ck_assert_int_eq(subject.outcomes[CHECK_CA_NAMES], OUTCOME_NONE);
}
END_TEST

/* ---- clients */

static const struct {
	enum endpoint_protocol protocol;
	enum probe_outcome outcome;
	enum probe_login login;
	const char *sqlstate;
	bool asked;
	enum outcome outcome_want;
	const char *want;
} nobodies[] = {
	{ENDPOINT_POSTGRES, PROBE_CONNECTED, PROBE_LOGIN_ERROR, "28000", true, OUTCOME_HELD, ""},
	{ENDPOINT_POSTGRES, PROBE_ALERT, PROBE_LOGIN_NONE, "", true, OUTCOME_HELD, ""},
	{ENDPOINT_POSTGRES, PROBE_CONNECTED, PROBE_LOGIN_ERROR, "53300", true, OUTCOME_NONE, ""},
	{ENDPOINT_POSTGRES, PROBE_TIMEOUT, PROBE_LOGIN_NONE, "", true, OUTCOME_NONE, ""},
	{ENDPOINT_POSTGRES, PROBE_CONNECTED, PROBE_LOGIN_OK, "", true, OUTCOME_FAILED,
	 "client-none warning lets somebody in without certificate and password"},
	{ENDPOINT_POSTGRES, PROBE_CONNECTED, PROBE_LOGIN_CONTINUE, "", true, OUTCOME_NONE,
	 "client-none info asks for a password where no certificate is shown"},
	{ENDPOINT_POSTGRES, PROBE_CONNECTED, PROBE_LOGIN_ERROR, "F0000", false, OUTCOME_HELD, ""},
	{ENDPOINT_POSTGRES, PROBE_CONNECTED, PROBE_LOGIN_ERROR, "28000", false, OUTCOME_FAILED,
	 "client-none warning asks for no client certificate"},
	{ENDPOINT_TLS, PROBE_CONNECTED, PROBE_LOGIN_NONE, "", false, OUTCOME_FAILED,
	 "client-none info asks for no client certificate"},
	{ENDPOINT_TLS, PROBE_CONNECTED, PROBE_LOGIN_NONE, "", true, OUTCOME_FAILED,
	 "client-none info lets in who shows no certificate"},
	{ENDPOINT_TLS, PROBE_ALERT, PROBE_LOGIN_NONE, "", true, OUTCOME_HELD, ""},
};

START_TEST(somebody_without_a_certificate)
{
	struct probe_result result;

	begin(STATE_TRUSTED);
	result = answer(served_of(&old_gen));
	endpoint.protocol = nobodies[_i].protocol;
	result.outcome = nobodies[_i].outcome;
	result.login = nobodies[_i].login;
	(void)snprintf(result.sqlstate, sizeof(result.sqlstate), "%s", nobodies[_i].sqlstate);
	result.client_asked = nobodies[_i].asked;
	judge(&result);
	ck_assert_str_eq(said(), nobodies[_i].want);
	ck_assert_int_eq(subject.outcomes[CHECK_NO_CLIENT], nobodies[_i].outcome_want);
	ck_assert_int_eq(subject.unable, !strcmp(nobodies[_i].sqlstate, "F0000"));
}
END_TEST

/* Before a first chain: what serves TLS there is refused by the runner, with its serial. */
START_TEST(where_nothing_is_live_nothing_is_expected)
{
	struct probe_result result = answer(served_of(&old_gen));

	begin(STATE_ABSENT);
	judge(&result);
	ck_assert_str_eq(said(), "");
	for (int i = 0; i < CHECK__MAX; i++)
		ck_assert_int_eq(subject.outcomes[i] == OUTCOME_NONE,
				 i != CHECK_TRUSTED && i != CHECK_NAME);
	ck_assert_str_eq(js_str(js_at(subject.leaves, 0), "serial", ""),
			 cert_serial_hex(served_of(&old_gen)));
}
END_TEST

START_TEST(what_this_machine_is_short_of_is_said)
{
	struct probe_result result = {
		.address = "10.0.4.42", .outcome = PROBE_LOCAL, .reason = "too many open files"};

	begin(STATE_TRUSTED);
	judge(&result);
	ck_assert_str_eq(said(), "endpoint block 10.0.4.42 port 5432: too many open files");
	ck_assert_str_eq(subject.findings.items[0].advice,
			 "see what is short on this machine: 'ulimit -n' limits connections");
}
END_TEST

static const struct {
	enum state state;
	enum check check;
	enum client_word word;
	enum outcome outcome_want;
	const char *want;
} clients[] = {
	{STATE_TRUSTED, CHECK_OLD_CLIENT, CLIENT_IN, OUTCOME_HELD, ""},
	{STATE_TRUSTED, CHECK_NEW_CLIENT, CLIENT_OUT, OUTCOME_FAILED,
	 "client-login block the new client certificate (user postgres) does not get in: why"},
	{STATE_TRUSTED, CHECK_NEW_CLIENT, CLIENT_UNKNOWN, OUTCOME_FAILED,
	 "client-login block the new client certificate (user postgres) may not get in: why"},
	{STATE_TRUSTED, CHECK_NEW_CLIENT, CLIENT_NOT_ASKED, OUTCOME_NONE, ""},
	{STATE_IDLE, CHECK_OLD_CLIENT, CLIENT_OUT, OUTCOME_HELD, ""},
	{STATE_IDLE, CHECK_OLD_CLIENT, CLIENT_IN, OUTCOME_FAILED,
	 "client-login block the old client certificate (user postgres) still opens it: why"},
	{STATE_IDLE, CHECK_OLD_CLIENT, CLIENT_UNKNOWN, OUTCOME_FAILED,
	 "client-login block the old client certificate (user postgres) may still open it: why"},
};

START_TEST(clients_with_a_certificate)
{
	const struct attempt attempt = {.check = clients[_i].check,
					.leaf = generation_leaf(&old_gen, "client", "postgres")};
	struct err err = {0};

	begin(clients[_i].state);
	ck_ok(judge_client(&look, &subject, &attempt, clients[_i].word, "10.0.4.42", "why", &err),
	      &err);
	ck_assert_str_eq(said(), clients[_i].want);
	ck_assert_int_eq(subject.outcomes[clients[_i].check], clients[_i].outcome_want);
}
END_TEST

/* ---- the server's own word */

/* As pg_status_query() gives it. */
static void server_case(const char *cells, const struct baseline_figures *before, const char *want)
{
	struct baseline baseline = {.items = (struct baseline_figures *)before, .count = 1};
	struct json *entry = js_new_object();
	struct pg_rows rows = {.rows = 1};
	char text[256], *save = NULL;
	struct err err = {0};

	begin(STATE_TRUSTED);
	(void)snprintf(text, sizeof(text), "%s", cells);
	for (char *cell = strtok_r(text, "|", &save); cell; cell = strtok_r(NULL, "|", &save)) {
		ck_ok(strs_add(&rows.cells, !strcmp(cell, "-") ? "" : cell, &err), &err);
		rows.columns++;
	}
	ck_ok(strmap_put(&baseline.index, "db1:5432", 0, &err), &err);
	input.before = before ? &baseline : NULL;
	ck_ok(judge_server(&look, &subject, &rows, entry, &err), &err);
	ck_assert_str_eq(said(), want);
	input.before = NULL;
	strmap_release(&baseline.index);
	strs_release(&rows.cells);
	js_free(entry);
}

#define PRIMARY		"f|t|-|-|1|1|"
#define STANDBY(status) "t|t|" status "|db2|0|0|"
#define TAIL		"|000000010000000000000007|17|TLSv1.3"
#define WAL		"(last for 000000010000000000000007, 2 min 0 s ago)"

START_TEST(replication_is_as_it_was)
{
	static const struct baseline_figures one = {0, false, 1}, three = {0, false, 3};

	server_case(PRIMARY "0|f|-1" TAIL, NULL, "");
	ck_assert_int_eq(subject.outcomes[CHECK_REPLICATION], OUTCOME_HELD);
	server_case(PRIMARY "0|f|-1" TAIL, &one, "");
	server_case(PRIMARY "0|f|-1" TAIL, &three,
		    "replication warning 1 standby streams from it, before the phase it was 3");
	server_case(STANDBY("streaming") "0|f|-1" TAIL, &three, "");
	server_case(STANDBY("starting") "0|f|-1" TAIL, NULL,
		    "replication block the standby does not stream");
	server_case("t|f|-|-|0|0|0|f|-1" TAIL, NULL,
		    "replication info a standby; whether it streams is not shown to this user");
}
END_TEST

START_TEST(archiving_blocks_only_what_began_with_the_phase)
{
	static const struct baseline_figures good = {3, false, 1}, bad = {3, true, 1};

	server_case(PRIMARY "5|t|120" TAIL, NULL, "archiver warning archiving fails " WAL);
	server_case(PRIMARY "5|t|120" TAIL, &good,
		    "archiver block archiving fails since the phase began " WAL);
	ck_assert_int_eq(subject.outcomes[CHECK_ARCHIVER], OUTCOME_FAILED);
	ck_assert(subject.differs);
	server_case(PRIMARY "5|t|120" TAIL, &bad,
		    "archiver warning archiving fails, as it did before the phase " WAL);
	ck_assert(!subject.differs);
	server_case(PRIMARY "5|f|120" TAIL, &good,
		    "archiver info archiving failed 2 times since the phase began, and works "
		    "again");
	server_case(PRIMARY "3|f|120" TAIL, &good, "");
	/* its statistics were reset meanwhile */
	server_case(PRIMARY "1|t|120" TAIL, &good,
		    "archiver block archiving fails since the phase began " WAL);
}
END_TEST

Suite *judge_suite(void)
{
	Suite *suite = suite_create("judge");
	TCase *tc = tcase_create("judge");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_leaf_is_the_one_of_the_state);
	tcase_add_test(tc, a_strange_leaf_is_described);
	tcase_add_test(tc, who_does_not_answer_is_named_with_its_address);
	tcase_add_test(tc, one_of_several_addresses_is_named);
	tcase_add_test(tc, the_announced_cas_are_those_of_the_state);
	tcase_add_test(tc, of_names_that_tell_nothing_nothing_is_said);
	tcase_add_loop_test(tc, somebody_without_a_certificate, 0,
			    sizeof(nobodies) / sizeof(nobodies[0]));
	tcase_add_loop_test(tc, clients_with_a_certificate, 0,
			    sizeof(clients) / sizeof(clients[0]));
	tcase_add_test(tc, replication_is_as_it_was);
	tcase_add_test(tc, archiving_blocks_only_what_began_with_the_phase);
	tcase_add_test(tc, where_nothing_is_live_nothing_is_expected);
	tcase_add_test(tc, what_this_machine_is_short_of_is_said);
	suite_add_tcase(suite, tc);
	return suite;
}
