/* SPDX-License-Identifier: PostgreSQL */
/* The values are those of RFC 4231, sections 4.2 to 4.8, for HMAC-SHA-256. */
#include <string.h>

#include "pki/hmac.h"
#include "tests/pki/suites.h"

static const struct {
	int key_byte; /* repeated key_len times; 0: key is the text */
	size_t key_len;
	const char *key;
	int data_byte;
	size_t data_len;
	const char *data;
	const char *hmac;
} vectors[] = {
	{0x0b, 20, NULL, 0, 0, "Hi There",
	 "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{0, 0, "Jefe", 0, 0, "what do ya want for nothing?",
	 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{0xaa, 20, NULL, 0xdd, 50, NULL,
	 "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{0xaa, 131, NULL, 0, 0, "Test Using Larger Than Block-Size Key - Hash Key First",
	 "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
};

START_TEST(known_values_come_out)
{
	struct arena *arena = arena_new(4096);
	char key[256], data[256], hex[HMAC_SIZE];
	struct secret secret = {0};
	struct err err = {0};
	size_t len;

	memset(key, vectors[_i].key_byte, sizeof(key));
	len = vectors[_i].key_len;
	if (vectors[_i].key)
		memcpy(key, vectors[_i].key, len = strlen(vectors[_i].key));
	ck_ok(arena_copy(&secret, arena, key, len, &err), &err);
	memset(data, vectors[_i].data_byte, sizeof(data));
	len = vectors[_i].data_len;
	if (vectors[_i].data)
		memcpy(data, vectors[_i].data, len = strlen(vectors[_i].data));
	/* in one piece or two, it is the same */
	for (size_t cut = 0; cut <= len; cut++) {
		ck_ok(hmac_sha256(hex, &secret, data, cut, data + cut, len - cut, &err), &err);
		ck_assert_str_eq(hex, vectors[_i].hmac);
	}
	ck_ok(hmac_sha256(hex, &secret, NULL, 0, data, len, &err), &err);
	ck_assert_str_eq(hex, vectors[_i].hmac);
	arena_free(arena);
}
END_TEST

Suite *hmac_suite(void)
{
	Suite *suite = suite_create("hmac");
	TCase *tcase = tcase_create("all");

	tcase_add_loop_test(tcase, known_values_come_out, 0, ROWS(vectors));
	suite_add_tcase(suite, tcase);
	return suite;
}
