/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/filter.h"
#include "secret/arena.h"
#include "tests/proc/suites.h"

#define B	   "-----BEGIN "
#define E	   "-----END "
#define D	   "-----"
#define MARK	   FILTER_REMOVED
#define BODY_LINES 27
#define BODY_WIDTH 64

static void add(void *ctx, const char *data, size_t len)
{
	buf_add(ctx, data, len);
}

/* step 0: random cuts */
static void feed(struct buf *out, const char *text, size_t len, size_t step)
{
	struct filter filter;
	size_t at = 0;

	filter_init(&filter, add, out);
	while (at < len) {
		size_t piece = step ? step : (size_t)(rand() % 40);

		if (piece > len - at)
			piece = len - at;
		filter_feed(&filter, text + at, piece);
		at += piece;
	}
	filter_end(&filter);
	ck_assert_uint_eq(filter.held_len, 0);
}

static const struct {
	const char *in, *out;
} cases[] = {
	{"plain - text -- with --- dashes ----- and BEGIN or -----BEGIN", NULL},
	{"", NULL},
	{"-----", NULL},
	{B "CERTIFICATE" D "\nMIIB\n" E "CERTIFICATE" D "\n", NULL},
	{B "PUBLIC KEY" D "\nMIIB\n" E "PUBLIC KEY" D "\n", NULL},
	{"BEGIN; SELECT 1; COMMIT; a sentence of more than a hundred characters, so that the label "
	 "of a header cannot be this long",
	 NULL},
	{"the word PRIVATE KEY alone", NULL},
	{"LS0tLS1CRU is too short", NULL},
	/* raw, and every kind of key */
	{"a\n" B "PRIVATE KEY" D "\nMIIE\nAw==\n" E "PRIVATE KEY" D "\nb\n", "a\n" MARK "\nb\n"},
	{B "RSA PRIVATE KEY" D "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIE\n" E
	   "RSA PRIVATE KEY" D,
	 MARK},
	{B "EC PRIVATE KEY" D "M" E "EC PRIVATE KEY" D "x", MARK "x"},
	{B "ENCRYPTED PRIVATE KEY" D "\r\nM\r\n" E "ENCRYPTED PRIVATE KEY" D "\r\n", MARK "\r\n"},
	{B "OPENSSH PRIVATE KEY" D "\nM\n" E "OPENSSH PRIVATE KEY" D "\n", MARK "\n"},
	{"---" B "PRIVATE KEY" D "M" E "PRIVATE KEY" D "---", "---" MARK "---"},
	/* escaped */
	{"{\"content\": \"" B "PRIVATE KEY" D "\\nMIIE\\n" E "PRIVATE KEY" D "\\n\", \"a\": 1}",
	 "{\"content\": \"" MARK "\\n\", \"a\": 1}"},
	{"\"" B "PRIVATE KEY" D "\\\\nMIIE\\\\n" E "PRIVATE KEY" D "\\\\n\"", "\"" MARK "\\\\n\""},
	/* lines of a list, a diff, colours, a block of YAML */
	{"[\n  \"" B "PRIVATE KEY" D "\",\n  \"MIIE\",\n  \"" E "PRIVATE KEY" D "\"\n]",
	 "[\n  \"" MARK "\"\n]"},
	{"+" B "PRIVATE KEY" D "\n+MIIE\n+" E "PRIVATE KEY" D "\n", "+" MARK "\n"},
	{"\033[31m" B "PRIVATE KEY" D "\033[0m\n\033[31mMIIE\033[0m\n\033[31m" E "PRIVATE KEY" D
	 "\033[0m\n",
	 "\033[31m" MARK "\033[0m\n"},
	/* two, and one glued to a certificate */
	{B "PRIVATE KEY" D "M" E "PRIVATE KEY" D B "EC PRIVATE KEY" D "M" E "EC PRIVATE KEY" D,
	 MARK MARK},
	{B "CERTIFICATE" D "C" E "CERTIFICATE" D B "PRIVATE KEY" D "M" E "PRIVATE KEY" D,
	 B "CERTIFICATE" D "C" E "CERTIFICATE" D MARK},
	{"BEGIN " B "PRIVATE KEY" D "M" E "PRIVATE KEY" D, "BEGIN " MARK},
	{"BEGIN, then text: " B "PRIVATE KEY" D "M" E "PRIVATE KEY" D, "BEGIN, then text: " MARK},
	{"BEGIN then BEGIN PRIVATE KEY" D "M" E "PRIVATE KEY" D, MARK},
	{"BEGIN, and here more than a hundred bytes of other text, so that the label's maximum "
	 "falls "
	 "into" B "PRIVATE KEY" D "M" E "PRIVATE KEY" D ".",
	 "BEGIN, and here more than a hundred bytes of other text, so that the label's maximum "
	 "falls "
	 "into" MARK "."},
	/* wrapped to a screen's width */
	{B "RSA\nPRIVATE\nKEY" D "\nMIIE\n" E "RSA PRIVATE\nKEY" D "\n", MARK "\nKEY" D "\n"},
	{"\"-----\nBEGIN PRIVATE KEY" D "\nMIIE\n-----\nEND PRIVATE KEY" D "\n",
	 "\"-----\n" MARK "\n"},
	/* cut short */
	{B "PRIVATE KEY" D "\nMIIE\n", MARK},
	{B "PRIVATE KEY" D "\nMIIE\n" E "PRIV", MARK},
	{B "PRIVATE KEY", MARK},
	{B "PRIVATE KEY" D "\\nMIIE...\nTASK [reload] ***\nok: [db1]\n",
	 MARK "\nTASK [reload] ***\nok: [db1]\n"},
	{B "PRIVATE KEY" D "\nMIIE\nDEK-Info: AES\nMIIE\n\nPLAY RECAP ****\ndb1 : ok=1",
	 MARK "\nPLAY RECAP ****\ndb1 : ok=1"},
	{B "PRIVATE KEY" D "\nMIIE\n[WARNING]: x\n", MARK "\n[WARNING]: x\n"},
	{B "PRIVATE KEY" D "\nMIIE\nok: [db1]", MARK "\nok: [db1]"},
	{B "PRIVATE KEY" D "\nMIIE\nok: [db1] " B "PRIVATE KEY" D "\nMIIE\n" E "PRIVATE KEY" D "!",
	 MARK "\nok: [db1] " MARK "!"},
	{B "PRIVATE KEY" D
	   "\nok: [MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC]\nok: [db1]\n",
	 MARK "\nok: [db1]\n"},
	/* inside base64 */
	{"{\"content\": \"LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JSUU=\", \"x\": 1}",
	 "{\"content\": \"" MARK "\", \"x\": 1}"},
	{"LS0tLS0tLS1CRUdJTiBQ.", "LS0t" MARK "."},
	{"Ii0tLS0tQkVHSU4gUFJJVkFURSBLRVktLS0tLQpNSUlFCg== x", "Ii0t" MARK " x"},
	{"IiItLS0tLUJFR0lOIFBSSVZBVEUgS0VZLS0tLS0KTUlJRQo= x", "IiIt" MARK " x"},
};

START_TEST(keys_are_removed_and_nothing_else)
{
	const char *want = cases[_i].out ? cases[_i].out : cases[_i].in;

	for (size_t step = 1; step < 30; step++) {
		struct buf out;

		buf_init(&out, 100000);
		feed(&out, cases[_i].in, strlen(cases[_i].in), step);
		ck_assert_msg(strcmp(out.data, want) == 0, "step %zu: '%s' became '%s'", step,
			      cases[_i].in, out.data);
		buf_release(&out);
	}
}
END_TEST

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void make_body(char body[BODY_LINES][BODY_WIDTH + 1])
{
	for (size_t i = 0; i < BODY_LINES; i++) {
		for (size_t j = 0; j < BODY_WIDTH; j++)
			body[i][j] = alphabet[rand() % 64];
		body[i][BODY_WIDTH] = '\0';
	}
}

static const char *const line_ends[] = {"\n",
					"\r\n",
					"\\n",
					"\\r\\n",
					"\\\\n",
					"\\\\\\n",
					"\",\n        \"",
					"\n+",
					"\n      ",
					"\033[0m\n\033[0;31m",
					" "};
static const char *const kinds[] = {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY",
				    "OPENSSH PRIVATE KEY"};
static const char *const around[] = {"TASK [copy] ***\n",
				     "fatal: [db1]: FAILED! => {\"item\": \"",
				     "-----",
				     "BEGIN ",
				     "a - b -- c",
				     "LS0t",
				     "\033[0;31m",
				     "\n"};

static const char *one_of(const char *const *list, size_t count)
{
	return list[(size_t)rand() % count];
}

#define ONE_OF(list) one_of((list), sizeof(list) / sizeof((list)[0]))

static void make_text(struct buf *text, char body[BODY_LINES][BODY_WIDTH + 1])
{
	const char *eol = ONE_OF(line_ends);
	const char *kind = ONE_OF(kinds);
	int shape = rand() % 4;

	for (int i = rand() % 4; i > 0; i--)
		buf_adds(text, ONE_OF(around));
	buf_addf(text, "%s%s%s%s", B, kind, D, eol);
	for (size_t i = 0; i < BODY_LINES; i++)
		buf_addf(text, "%s%s", body[i], eol);
	if (shape == 0) /* cut short */
		buf_adds(text, "Aw==...\n");
	else
		buf_addf(text, "%s%s%s%s", E, kind, D, eol);
	buf_adds(text, "\nTASK [after] ***\nok: [db2]\n");
}

/* Whatever the shape and the cuts: the same result, what follows is there, no part of the key is.
 */
START_TEST(no_key_passes_however_it_is_cut)
{
	char body[BODY_LINES][BODY_WIDTH + 1];

	srand((unsigned)_i + 1);
	make_body(body);
	for (int round = 0; round < 40; round++) {
		struct buf text, whole, cut;

		buf_init(&text, 100000);
		buf_init(&whole, 100000);
		buf_init(&cut, 100000);
		make_text(&text, body);
		filter_text(&whole, text.data, text.len);
		feed(&cut, text.data, text.len, 0);
		ck_assert_str_eq(cut.data, whole.data);
		ck_contains(cut.data, FILTER_REMOVED);
		ck_contains(cut.data, "TASK [after] ***\nok: [db2]\n");
		for (size_t i = 0; i < BODY_LINES; i++) {
			body[i][8] = '\0';
			ck_assert_ptr_null(strstr(cut.data, body[i]));
			ck_assert_ptr_null(strstr(cut.data, body[i] + 9));
		}
		make_body(body);
		buf_release(&text);
		buf_release(&whole);
		buf_release(&cut);
	}
}
END_TEST

START_TEST(random_bytes_give_the_same_however_they_are_cut)
{
	static const char *const words[] = {
		"-",  "--",  "-----BEGIN", "BEGIN", "PRIVATE", " KEY",		 "\n",	" [",
		"**", "END", "-----END ",  "MII",   "abc",     "LS0tLS1CRUdJTi", "\\n", "\033[0m"};

	srand((unsigned)_i + 100);
	for (int round = 0; round < 200; round++) {
		struct buf text, whole, cut;

		buf_init(&text, 100000);
		buf_init(&whole, 100000);
		buf_init(&cut, 100000);
		for (int i = rand() % 120; i > 0; i--)
			buf_adds(&text, ONE_OF(words));
		filter_text(&whole, text.data, text.len);
		feed(&cut, text.data, text.len, 0);
		ck_assert_msg(strcmp(cut.data, whole.data) == 0, "'%s': '%s' and '%s'", text.data,
			      cut.data, whole.data);
		buf_release(&text);
		buf_release(&whole);
		buf_release(&cut);
	}
}
END_TEST

START_TEST(controls_are_stripped)
{
	static const char in[] = "a\033[0;31mred\033[0m\tb\r\n\033]0;title\007c\033(Bd\033[31\ne"
				 "\033]8;;x\033\\f\b\033]open\nend\303\251\302\233"
				 "31m\342\200\256"
				 "\xff\xc3\n\xe2\x80z\xf0\x9f\x94\x91\xed\xa0\x80.";
	static const char want[] = "ared\tb\ncd\nef\nend\303\251"
				   "31m??\n?z\xf0\x9f\x94\x91?.";

	for (size_t step = 1; step < sizeof(in); step++) {
		struct strip strip = {0};
		struct buf out;

		buf_init(&out, 1000);
		for (size_t at = 0; at < sizeof(in) - 1; at += step)
			strip_controls(&strip, &out, in + at,
				       sizeof(in) - 1 - at < step ? sizeof(in) - 1 - at : step);
		ck_assert_str_eq(out.data, want);
		buf_release(&out);
	}
}
END_TEST

START_TEST(colors_stay_for_a_terminal)
{
	static const char in[] = "a\033[0;31mred\033[0m\033[2J\033[?25lb\033]0;t\007\033[m\r"
				 "\033[1;2;3;4;5;6;7;8;9;10;11;12;13mc\033[3\n1m\033[31mz";
	static const char want[] = "a\033[0;31mred\033[0mb\033[mc\n1m\033[31mz";

	for (size_t step = 1; step < sizeof(in); step++) {
		struct strip strip = {0};
		struct buf out;

		buf_init(&out, 1000);
		for (size_t at = 0; at < sizeof(in) - 1; at += step)
			strip_to_colors(&strip, &out, in + at,
					sizeof(in) - 1 - at < step ? sizeof(in) - 1 - at : step);
		ck_assert_str_eq(out.data, want);
		buf_release(&out);
	}
}
END_TEST

/* ---- a secret */

/* What a simple search makes of it. */
static void replace_all(struct buf *out, const char *text, size_t len, const struct secret *secret)
{
	for (size_t at = 0; at < len;) {
		if (len - at >= secret->len && !memcmp(text + at, secret->data, secret->len)) {
			buf_adds(out, FILTER_HIDDEN);
			at += secret->len;
		} else {
			buf_addc(out, text[at++]);
		}
	}
}

static const char *const hidden[] = {"a", "ab", "aab", "abab", "aabaa", "aaaa", "abaabab"};

START_TEST(a_secret_goes_wherever_it_stands_and_is_cut)
{
	const struct secret secret = {(char *)(uintptr_t)hidden[_i], strlen(hidden[_i])};
	char text[40];

	for (int i = 0; i < 3000; i++) {
		size_t len = (size_t)(rand() % 40), piece = (size_t)(rand() % 7) + 1;
		struct buf want, got;
		struct filter filter;

		for (size_t k = 0; k < len; k++)
			text[k] = rand() % 3 ? 'a' : 'b';
		buf_init(&want, 4096);
		buf_init(&got, 4096);
		replace_all(&want, text, len, &secret);
		filter_init(&filter, add, &got);
		filter_hide(&filter, &secret);
		for (size_t at = 0; at < len; at += piece)
			filter_feed(&filter, text + at, piece < len - at ? piece : len - at);
		filter_end(&filter);
		ck_assert_uint_eq(got.len, want.len);
		ck_assert(!want.len || !memcmp(got.data, want.data, want.len));
		buf_release(&want);
		buf_release(&got);
	}
}
END_TEST

START_TEST(a_secret_and_a_key_go_both)
{
	const struct secret secret = {(char *)(uintptr_t) "B-secret", 8};
	struct filter filter;
	struct buf got;

	buf_init(&got, 4096);
	filter_init(&filter, add, &got);
	filter_hide(&filter, &secret);
	filter_feed(&filter, "+ pass=B-secr", 13);
	filter_feed(&filter, "et\n" B "PRIVATE KEY" D "\nB-secret\n" E "PRIVATE KEY" D "\nB-sec",
		    strlen("et\n" B "PRIVATE KEY" D "\nB-secret\n" E "PRIVATE KEY" D "\nB-sec"));
	filter_end(&filter);
	ck_assert_str_eq(got.data, "+ pass=" FILTER_HIDDEN "\n" MARK "\nB-sec");
	buf_release(&got);
}
END_TEST

Suite *filter_suite(void)
{
	Suite *suite = suite_create("proc/filter");
	TCase *tc = tcase_create("filter");

	tcase_add_loop_test(tc, keys_are_removed_and_nothing_else, 0,
			    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_loop_test(tc, no_key_passes_however_it_is_cut, 0, 20);
	tcase_add_loop_test(tc, random_bytes_give_the_same_however_they_are_cut, 0, 10);
	tcase_add_test(tc, controls_are_stripped);
	tcase_add_test(tc, colors_stay_for_a_terminal);
	tcase_add_loop_test(tc, a_secret_goes_wherever_it_stands_and_is_cut, 0,
			    sizeof(hidden) / sizeof(hidden[0]));
	tcase_add_test(tc, a_secret_and_a_key_go_both);
	suite_add_tcase(suite, tc);
	return suite;
}
