/* SPDX-License-Identifier: PostgreSQL */
/* Keys and what is like them, made with openssl, in each writing that may hide one. */
#include <stdio.h>
#include <stdlib.h>

#include "git/clear_key.h"
#include "tests/git/fixture.h"

/* The line in which the text of a command has a key; 0 for none. */
static size_t line_of(const char *command)
{
	char *path = test_path("text");
	size_t len, line;
	char *text;
	bool found;

	(void)sh("exec >text 2>/dev/null; %s", command);
	text = test_read(path, &len);
	ck_assert_msg(len > 0, "%s: nothing", command);
	found = clear_key_find(&line, text, len);
	free(text);
	free(path);
	return found ? line : 0;
}

static void make_keys(void)
{
	(void)sh("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p8.pem && "
		 "openssl ec -in p8.pem -out sec1.pem 2>&1 && "
		 "openssl genpkey -algorithm ED25519 -out ed.pem && "
		 "openssl genrsa -out rsa8.pem 1024 2>&1 && "
		 "openssl rsa -in rsa8.pem -traditional -out rsa.pem 2>&1 && "
		 "openssl pkcs8 -topk8 -in p8.pem -passout pass:x -out enc.pem && "
		 "openssl req -x509 -key p8.pem -subj /CN=x -out crt.pem && "
		 "openssl req -new -key p8.pem -subj /CN=x -out csr.pem && "
		 "openssl pkey -in p8.pem -pubout -out pub.pem");
}

START_TEST(keys_are_found_in_every_writing)
{
	static const char *const keys[] = {"p8", "sec1", "ed", "rsa8", "rsa", "enc"};
	/* the text begins in line 2 */
	static const char *const writings[] = {
		"cat $f",
		"sed 's/^/        /' $f",
		"printf 'key: \"'; awk '{printf \"%s\\\\n\", $0}' $f",
		"printf 'key: \"'; sed 's/PRIVATE KEY-/PRIVATE\\n   KEY-/' $f",
		"printf 'key: '; base64 -w0 $f",
		"printf 'a/b/key='; base64 -w0 $f",
		"printf 'ab/'; base64 -w0 $f",
		"printf 'abc/'; base64 -w0 $f",
		"cat crt.pem $f | base64 -w0",
		"base64 -w64 $f | sed 's/^/    /'",
		"base64 -w76 $f | awk '{printf \"%s\\\\n\", $0}'",
		"openssl asn1parse -in $f -noout -out der && base64 -w0 der",
		"openssl asn1parse -in $f -noout -out der && base64 -w64 der | sed 's/^/  /'",
		"printf x; openssl asn1parse -in $f -noout -out der && cat der",
	};
	char command[320];

	make_keys();
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		for (size_t k = 0; k < sizeof(writings) / sizeof(writings[0]); k++) {
			(void)snprintf(command, sizeof(command), "f=%s.pem; echo '# x'; %s",
				       keys[i], writings[k]);
			ck_assert_msg(line_of(command) == 2, "%s: %zu", command, line_of(command));
		}
	}
}
END_TEST

START_TEST(what_is_no_key_passes)
{
	static const char *const texts[] = {
		"cat crt.pem csr.pem pub.pem",
		"for f in crt csr pub; do base64 -w0 $f.pem; echo; done",
		"for f in crt csr pub; do openssl asn1parse -in $f.pem -noout -out d; cat d; done",
		"openssl ecparam -name P-256 -param_enc explicit; openssl dhparam -dsaparam 512",
		"echo '$ANSIBLE_VAULT;1.1;AES256'; od -An -v -tx1 p8.pem | tr -d ' \n' | od -An -v "
		"-tx1 | tr -d ' '",
		"echo '# BEGIN PRIVATE KEY section'; echo '-----BEGIN CERTIFICATE----- PRIVATE "
		"KEY'",
		"head -c 300000 /dev/urandom | base64",
		"head -c 300000 /dev/zero | tr '\\0' 0",
	};

	make_keys();
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(line_of(texts[i]) == 0, "%s", texts[i]);
}
END_TEST

/* A key cut short is not to be read as one, nor behind the end of the text. */
START_TEST(any_part_of_a_key_can_be_looked_at)
{
	char *path, *text;
	size_t len, line;

	make_keys();
	(void)sh("openssl asn1parse -in rsa.pem -noout -out der && (cat der; base64 -w0 der) >all");
	path = test_path("all");
	text = test_read(path, &len);
	ck_assert(clear_key_find(&line, text, len));
	for (size_t cut = 0; cut < len; cut++) {
		char *part = malloc(cut + 1);

		ck_assert_ptr_nonnull(part);
		for (size_t i = 0; i < cut; i++)
			part[i] = text[i];
		(void)clear_key_find(&line, part, cut);
		free(part);
	}
	free(text);
	free(path);
}
END_TEST

Suite *clear_key_suite(void)
{
	Suite *suite = suite_create("git/clear_key");
	TCase *tcase = tcase_create("clear_key");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, fixture_setup, fixture_teardown);
	tcase_add_test(tcase, keys_are_found_in_every_writing);
	tcase_add_test(tcase, what_is_no_key_passes);
	tcase_add_test(tcase, any_part_of_a_key_can_be_looked_at);
	suite_add_tcase(suite, tcase);
	return suite;
}
