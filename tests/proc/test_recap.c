/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proc/ansible_say.h"
#include "proc/recap.h"
#include "tests/proc/suites.h"

static struct err err;
static struct recap recap;
static struct ansible_result result;

static void set_up(void)
{
	err_clear(&err);
	recap_init(&recap);
	memset(&result, 0, sizeof(result));
}

static void tear_down(void)
{
	ansible_result_release(&result);
	recap_release(&recap);
}

static void feed(const char *text)
{
	for (; *text; text++)
		recap_feed(&recap, text, 1);
}

START_TEST(progress_and_recap)
{
	feed("\nPLAY [db] ****\n\nTASK [role : write [the] file] ****\nok: [db1]\n");
	ck_assert_str_eq(recap.task, "role : write [the] file");
	ck_assert_uint_eq(recap.done, 1);
	feed("changed: [db2 -> localhost]\nok: [db1] => (item=x)\n");
	ck_assert_uint_eq(recap.done, 2);
	feed("\nRUNNING HANDLER [reload] ****\nskipping: [db1]\n");
	ck_assert_str_eq(recap.task, "reload");
	ck_assert_uint_eq(recap.done, 1);
	ck_assert_uint_eq(recap.most, 2);
	feed("\nPLAY RECAP ****\n"
	     "db2                        : ok=2    changed=1    unreachable=0    failed=0    "
	     "skipped=0    rescued=3    ignored=4   \n"
	     "2001:db8::1                : ok=1    changed=0    unreachable=0    failed=0    "
	     "skipped=5    rescued=0    ignored=0   \n\n");
	ck_ok(recap_take(&result, &recap, &err), &err);
	ck_assert_uint_eq(result.count, 2); /* db1 is not in the recap */
	ck_assert_str_eq(result.hosts[0].name, "2001:db8::1");
	ck_assert_uint_eq(result.hosts[0].skipped, 5);
	ck_assert_uint_eq(result.hosts[1].changed, 1);
	ck_assert_uint_eq(result.hosts[1].rescued, 3);
	ck_assert_uint_eq(result.hosts[1].ignored, 4);
}
END_TEST

static const struct {
	const char *line, *message;
} failures[] = {
	{"fatal: [db1]: FAILED! => {\"changed\": false, \"msg\": \"no\\nway\\n\"}", "no way"},
	{"fatal: [db1 -> db2]: FAILED! => {\"msg\": \"rc\", \"stderr\": \"sh: x\"}", "rc: sh: x"},
	{"failed: [db1] (item={'a': 'b'}) => {\"msg\": \"bad\"}", "bad"},
	{"failed: [db1] (item=two\nlines) => {\"msg\": \"bad\"}", "bad"},
	{"failed: [db1] (item=a) => {\"censored\": \"the output has been hidden\"}",
	 "{\"censored\": \"the output has been hidden\"}"},
	{"fatal: [db1]: FAILED! => \n  changed: false", ": FAILED! => "},
	{"fatal: [db1]: FAILED! => {\"msg\": \"escape \\u001b[31m\"}", "escape \\x1b[31m"},
};

START_TEST(failures_are_read)
{
	feed("TASK [t] ***\n");
	feed(failures[_i].line);
	feed("\nPLAY RECAP ***\ndb1 : ok=0 changed=0 unreachable=0 failed=1\n");
	ck_ok(recap_take(&result, &recap, &err), &err);
	ck_assert_uint_eq(result.count, 1);
	ck_assert_uint_eq(result.hosts[0].failed, 1);
	ck_assert_str_eq(result.hosts[0].task, "t");
	ck_assert_str_eq(result.hosts[0].message, failures[_i].message);
}
END_TEST

/* The last recap counts; lines like it elsewhere do not. */
START_TEST(recap_is_not_taken_from_elsewhere)
{
	feed("TASK [t] ***\nevil : ok=9 changed=0 unreachable=0 failed=0\n"
	     "PLAY RECAP ***\nold : ok=1 changed=0 unreachable=0 failed=0\n"
	     "PLAY [x] ***\n"
	     "PLAY RECAP ***\ndb1 : ok=1 changed=0 unreachable=0 failed=0\n"
	     "db2 : ok=many\n : ok=1 changed=0 unreachable=0 failed=0");
	recap_end(&recap);
	ck_ok(recap_take(&result, &recap, &err), &err);
	ck_assert_uint_eq(result.count, 1);
	ck_assert_str_eq(result.hosts[0].name, "db1");
}
END_TEST

START_TEST(errors_are_read)
{
	feed("[WARNING]: x\nERROR! the playbook: nope.yml could not be found\n");
	ck_assert_str_eq(recap.error, "the playbook: nope.yml could not be found");
	ck_assert(!recap.vault);
	feed("ERROR! Decryption failed (no vault secrets were found that could decrypt) on x");
	recap_end(&recap);
	ck_assert(recap.vault);
	ck_assert(!recap.seen_recap);
}
END_TEST

START_TEST(lines_and_hosts_are_bounded)
{
	static char long_line[RECAP_LINE_MAX];

	memset(long_line, 'x', sizeof(long_line));
	feed("TASK [t] ***\nfatal: [db1]: FAILED! => {\"msg\": \"");
	recap_feed(&recap, long_line, sizeof(long_line));
	ck_assert_uint_eq(recap.line.len, RECAP_LINE_MAX);
	feed("\"}\nok: [db2]\n");
	ck_assert_uint_eq(recap.count, 2);
	ck_assert_uint_lt(strlen(recap.hosts[0].host.message), ANSIBLE_TEXT_MAX);
	for (int i = 0; i < 5000; i++) {
		char line[32];

		(void)snprintf(line, sizeof(line), "ok: [h%d]\n", i);
		recap_feed(&recap, line, strlen(line));
	}
	ck_assert_uint_eq(recap.done, 5002);
	ck_assert_int_eq(recap.rc, 0);
}
END_TEST

/* Output that could not be read is the cause, whatever Ansible made of it. */
static const struct {
	const char *output;
	int code;
} broken[] = {
	{"TASK [t] ***\nok: [db1]\n", 0},
	{"TASK [t] ***\nok: [db1]\nPLAY RECAP ***\ndb1 : ok=1 changed=0 unreachable=0 failed=0\n",
	 0},
	{"TASK [t] ***\nERROR! Unexpected Exception, this is probably a bug: Broken pipe\n", 250},
};

START_TEST(output_that_broke_off)
{
	struct ansible_spec spec = {.playbook = "p.yml", .inventory = "hosts"};
	struct child_result child = {
		.end = CHILD_EXITED, .code = broken[_i].code, .out_cut = true, .io_errno = EIO};

	feed(broken[_i].output);
	recap_end(&recap);
	ck_ok(recap_take(&result, &recap, &err), &err);
	ck_assert_int_ne(ansible_say(&result, &spec, &child, &recap, &err), 0);
	ck_contains(err.msg,
		    "p.yml: cannot write its input or read its output: Input/output error");
}
END_TEST

Suite *recap_suite(void)
{
	Suite *suite = suite_create("proc/recap");
	TCase *tc = tcase_create("recap");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, progress_and_recap);
	tcase_add_loop_test(tc, failures_are_read, 0,
			    (int)(sizeof(failures) / sizeof(failures[0])));
	tcase_add_test(tc, recap_is_not_taken_from_elsewhere);
	tcase_add_test(tc, errors_are_read);
	tcase_add_test(tc, lines_and_hosts_are_bounded);
	tcase_add_loop_test(tc, output_that_broke_off, 0,
			    (int)(sizeof(broken) / sizeof(broken[0])));
	suite_add_tcase(suite, tc);
	return suite;
}
