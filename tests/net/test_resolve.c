/* SPDX-License-Identifier: PostgreSQL */
#include <dlfcn.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>

#include "net/resolve.h"
#include "tests/net/suites.h"

/*
 * The C library's resolver, but for names that end in ".hang", which are never answered: what
 * happens when a DNS server is gone. The executable's functions come before the library's.
 */
static bool hangs(const struct gaicb *request)
{
	return str_ends(request->ar_name, ".hang");
}

int getaddrinfo_a(int mode, struct gaicb *list[], int count, struct sigevent *event)
{
	union {
		void *symbol;
		int (*call)(int, struct gaicb **, int, struct sigevent *);
	} real = {dlsym(RTLD_NEXT, "getaddrinfo_a")};

	return hangs(list[0]) ? 0 : real.call(mode, list, count, event);
}

int gai_error(struct gaicb *request)
{
	union {
		void *symbol;
		int (*call)(struct gaicb *);
	} real = {dlsym(RTLD_NEXT, "gai_error")};

	return hangs(request) ? EAI_INPROGRESS : real.call(request);
}

int gai_cancel(struct gaicb *request)
{
	union {
		void *symbol;
		int (*call)(struct gaicb *);
	} real = {dlsym(RTLD_NEXT, "gai_cancel")};

	return hangs(request) ? EAI_CANCELED : real.call(request);
}

static struct loop *loop;
static struct strs names;
static struct resolved resolved;

static void setup(void)
{
	loop = fixture_loop();
}

static void teardown(void)
{
	resolved_release(&resolved);
	strs_release(&names);
	loop_free(loop);
}

static void add(const char *name)
{
	struct err err = {0};

	ck_ok(strs_add(&names, name, &err), &err);
}

START_TEST(addresses_need_no_look_up)
{
	const struct resolved_name *found;
	struct err err = {0};

	add("10.0.4.42");
	add("fd00::1");
	add("10.0.4.42");
	ck_ok(resolve_names(&resolved, loop, &names, 1000, &err), &err);
	ck_assert_uint_eq(resolved.count, 2);
	found = resolved_find(&resolved, "fd00::1");
	ck_assert_ptr_nonnull(found);
	ck_assert_uint_eq(found->count, 1);
	ck_assert_str_eq(found->addresses[0].text, "fd00::1");
	ck_assert_ptr_null(resolved_find(&resolved, "10.0.4.43"));
}
END_TEST

START_TEST(names_are_looked_up)
{
	const struct resolved_name *found;
	struct err err = {0};

	add("localhost");
	add("db9.invalid");
	add("10.1");
	add("");
	add("db1.example.com:5432");
	ck_ok(resolve_names(&resolved, loop, &names, 5000, &err), &err);
	found = resolved_find(&resolved, "localhost");
	ck_assert_uint_ge(found->count, 1);
	ck_assert_ptr_null(found->error);
	found = resolved_find(&resolved, "db9.invalid");
	ck_assert_uint_eq(found->count, 0);
	ck_assert_ptr_nonnull(found->error);
	ck_assert_str_eq(resolved_find(&resolved, "")->error, "not a host name or address");
	ck_assert_str_eq(resolved_find(&resolved, "db1.example.com:5432")->error,
			 "not a host name or address");
}
END_TEST

START_TEST(a_resolver_that_hangs_costs_the_deadline)
{
	struct err err = {0};
	int64_t began = loop_now(loop);

	add("db1.hang");
	add("127.0.0.1");
	add("localhost");
	ck_ok(resolve_names(&resolved, loop, &names, 200, &err), &err);
	ck_assert_int_lt(loop_now(loop) - began, 1500);
	ck_assert_str_eq(resolved_find(&resolved, "db1.hang")->error, "no answer within 0.2 s");
	ck_assert_uint_eq(resolved_find(&resolved, "127.0.0.1")->count, 1);
	ck_assert_uint_ge(resolved_find(&resolved, "localhost")->count, 1);
}
END_TEST

START_TEST(a_stop_request_ends_it)
{
	struct err err = {0};

	add("db1.hang");
	loop_request_stop(loop);
	ck_assert_int_eq(resolve_names(&resolved, loop, &names, 60000, &err), ERR_STOPPED);
	ck_assert_uint_eq(resolved.count, 0);
}
END_TEST

START_TEST(addresses_are_parsed_strictly)
{
	static const char *const bad[] = {"",	 "10.1",   "localhost", "10.0.0.256",
					  "::g", "0x7f.1", "127.0.0.1 "};
	struct net_address address;
	struct err err = {0};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(net_address_parse(&address, bad[i], &err), ERR_NOENT);
		ck_contains(err.msg, "is not an address");
	}
	ck_ok(net_address_parse(&address, "::1", &err), &err);
	ck_assert_str_eq(address.text, "::1");
}
END_TEST

Suite *resolve_suite(void)
{
	Suite *suite = suite_create("resolve");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 30);
	tcase_add_unchecked_fixture(tc, fixture_start, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, addresses_need_no_look_up);
	tcase_add_test(tc, names_are_looked_up);
	tcase_add_test(tc, a_resolver_that_hangs_costs_the_deadline);
	tcase_add_test(tc, a_stop_request_ends_it);
	tcase_add_test(tc, addresses_are_parsed_strictly);
	suite_add_tcase(suite, tc);
	return suite;
}
