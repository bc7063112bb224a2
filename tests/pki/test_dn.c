/* SPDX-License-Identifier: PostgreSQL */
#include "tests/pki/suites.h"

#include <string.h>

/* "C=NL|postalCode=3721 MA" */
static void show(struct buf *out, const struct dn *dn)
{
	buf_reset(out);
	for (size_t i = 0; i < dn->count; i++)
		buf_addf(out, "%s%s=%s", i ? "|" : "", dn->items[i].type, dn->items[i].value);
}

static const struct {
	const char *type;
	const char *value;
	const char *shown;
} values_go_on_with_further_attributes_rows[] = {
	{"C", "NL", "C=NL"},
	{"C", "NL/postalCode=3721 MA", "C=NL|postalCode=3721 MA"},
	{"L", "Bilthoven/street=Weg 1/OU=A/B", "L=Bilthoven|street=Weg 1|OU=A/B"},
	{"O", "A/B testing", "O=A/B testing"},
	{"O", "A/", "O=A/"},
	{"O", "A\\/CN=x", "O=A/CN=x"},
	{"O", "a\\\\b", "O=a\\b"},
	{"commonName", "post gres", "CN=post gres"},
	{"CN", "Zoë", "CN=Zoë"},
	{"2.5.4.97", "NTRNL-1", "2.5.4.97=NTRNL-1"},
	{"O", "a=b", "O=a=b"},
	{"O", "x/1.2.3.4=y", "O=x|1.2.3.4=y"},
};

START_TEST(values_go_on_with_further_attributes)
{
	struct dn dn = DN_INIT;
	struct err err = {0};
	struct buf buf;

	buf_init(&buf, 4096);
	ck_ok(dn_add(&dn, values_go_on_with_further_attributes_rows[_i].type,
		     values_go_on_with_further_attributes_rows[_i].value, &err),
	      &err);
	show(&buf, &dn);
	ck_assert_str_eq(buf.data, values_go_on_with_further_attributes_rows[_i].shown);
	buf_release(&buf);
	dn_release(&dn);
}
END_TEST

#define SIXTY_FIVE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *type;
	const char *value;
	const char *message;
	const char *hint;
} bad_attributes_are_refused_rows[] = {
	{"commonname", "x", "'commonname' is no attribute of a subject", ""},
	{"postalcode", "x", "'postalcode' is no attribute", "did you mean postalCode?"},
	{"O", "A/Sales=1", "'Sales' is no attribute", "\\/"},
	{"serverAuth", "x", "'serverAuth' is no attribute", ""},
	{"C", "Netherlands", "subject: C 'Netherlands': string too long",
	 "C has exactly 2 characters"},
	{"CN", SIXTY_FIVE, "string too long", "CN has at most 64 characters"},
	{"O", "", "subject: O is empty", "leave it out"},
	{"C", "NL/L=", "subject: L is empty", "leave it out"},
	{"CN", "\xff\xfe", "subject: CN", ""},
};

START_TEST(bad_attributes_are_refused)
{
	struct dn dn = DN_INIT;
	struct err err = {0};

	ck_ok(dn_add(&dn, "O", "Acme", &err), &err);
	ck_assert_int_eq(dn_add(&dn, bad_attributes_are_refused_rows[_i].type,
				bad_attributes_are_refused_rows[_i].value, &err),
			 ERR_USAGE);
	ck_contains(err.msg, bad_attributes_are_refused_rows[_i].message);
	ck_contains(err.hint, bad_attributes_are_refused_rows[_i].hint);
	ck_assert_uint_eq(dn.count, 1);
	dn_release(&dn);
}
END_TEST

START_TEST(the_common_name_is_replaced)
{
	struct dn dn = DN_INIT, copy = DN_INIT;
	struct err err = {0};
	struct buf buf;

	buf_init(&buf, 4096);
	ck_ok(dn_add(&dn, "O", "Acme", &err), &err);
	ck_assert_ptr_null(dn_cn(&dn));
	ck_ok(dn_set_cn(&dn, "server", &err), &err);
	ck_assert_str_eq(dn_cn(&dn), "server");
	ck_ok(dn_add(&dn, "OU", "x", &err), &err);
	ck_ok(dn_copy(&copy, &dn, &err), &err);
	ck_ok(dn_set_cn(&copy, "server/G2", &err), &err);
	show(&buf, &copy);
	ck_assert_str_eq(buf.data, "O=Acme|CN=server/G2|OU=x");
	show(&buf, &dn);
	ck_assert_str_eq(buf.data, "O=Acme|CN=server|OU=x");
	ck_assert_int_eq(dn_set_cn(&dn, "", &err), ERR_USAGE);
	ck_assert_str_eq(dn_cn(&dn), "server");
	buf_release(&buf);
	dn_release(&dn);
	dn_release(&copy);
}
END_TEST

Suite *dn_suite(void)
{
	Suite *suite = suite_create("dn");
	TCase *tcase = tcase_create("dn");

	tcase_add_loop_test(tcase, values_go_on_with_further_attributes, 0,
			    ROWS(values_go_on_with_further_attributes_rows));
	tcase_add_loop_test(tcase, bad_attributes_are_refused, 0,
			    ROWS(bad_attributes_are_refused_rows));
	tcase_add_test(tcase, the_common_name_is_replaced);
	suite_add_tcase(suite, tcase);
	return suite;
}
