/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "inventory/hosts.h"
#include "inventory/hosts_read.h"
#include "tests/inventory/suites.h"

static const char *dir;
static struct err err;
static struct hosts hosts;

static void setup(void)
{
	dir = test_mkdir();
	hosts = (struct hosts)HOSTS_INIT;
	err_clear(&err);
}

static void teardown(void)
{
	hosts_release(&hosts);
	test_rmdir();
}

static void file(const char *name, const char *text)
{
	char *path = test_path(name), *slash = strrchr(path, '/');

	*slash = '\0';
	ck_ok(file_mkdirs(path, 0755, &err), &err);
	*slash = '/';
	test_write(path, text);
	free(path);
}

static void read_inventory(const char *inventory)
{
	hosts_release(&hosts);
	ck_ok(hosts_read(&hosts, dir, inventory, &err), &err);
}

/* "name=address name=address" of all hosts, "*" behind those directly below "all" */
static void expect(const char *wanted)
{
	struct buf buf;

	buf_init(&buf, 4096);
	for (size_t i = 0; i < hosts.count; i++)
		buf_addf(&buf, "%s%s=%s%s", i ? " " : "", hosts.items[i].name,
			 hosts.items[i].address, hosts.items[i].top ? "*" : "");
	ck_assert_str_eq(buf.data, wanted);
	buf_release(&buf);
}

static const struct {
	const char *text, *wanted;
} good[] = {
	/* YAML */
	{"all:\n  hosts:\n    a:\n    b: {ansible_host: 10.0.0.2}\n", "a=a b=10.0.0.2"},
	{"all:\n  children:\n    g:\n      hosts:\n        a: {ansible_host: 10.0.0.1}\n"
	 "      children:\n        h:\n          hosts: {b: , a: {ansible_host: 10.0.0.9}}\n",
	 "a=10.0.0.9* b=b"},
	{"g:\n  hosts: {a: {ansible_host: x.example.com, ansible_port: 2222}}\n",
	 "a=x.example.com*"},
	{"g:\n  hosts: {a: {ansible_host: '{{ ip }}'}, b: {ansible_host: !vault x}, "
	 "c: {ansible_host: ''}, d: {ansible_host: 'a b'}, e: {ansible_host: [1]}}\n",
	 "a=a* b=b* c=c* d=d* e=e*"},
	{"g:\n  hosts: {a: {ansible_ssh_host: 10.0.0.1}}\n", "a=10.0.0.1*"},
	{"g:\n  hosts:\n    'db[01:03].x': {}\n", "db01.x=db01.x* db02.x=db02.x* db03.x=db03.x*"},
	{"g:\n  hosts: one\nh: {vars: {x: 1}}\ni:\n", "one=one*"},
	{"all:\n  vars: &v {ansible_host: x}\n  hosts:\n    a: *v\n", "a=a"},
	{"", ""},
	{"{\"all\": {\"hosts\": {\"j\": {\"ansible_host\": \"10.1.1.1\"}}}}", "j=10.1.1.1"},
	/* INI */
	{"a ansible_host=10.0.0.1\nb\n", "a=10.0.0.1* b=b*"},
	{"# comment\n; another\n\n[g]\na ansible_host=10.0.0.1 # behind\n  b  x='1 2' "
	 "ansible_host=\"10.0.0.2\"\t\n[g:vars]\nansible_host=9\n[all:children]\ng\n[h]\r\nc\r\n",
	 "a=10.0.0.1* b=10.0.0.2* c=c*"},
	{"[g] # why\na:2222\nb:22 ansible_port=1\nfd00::1\n", "a=a* b=b* fd00::1=fd00::1*"},
	{"n[0:4:2] ansible_host=x\n", "n0=x* n2=x* n4=x*"},
	{"[g]\na\n[h]\na ansible_host=1.1.1.1\n[i]\na\n", "a=1.1.1.1*"},
};

START_TEST(inventories_are_read)
{
	file("hosts", good[_i].text);
	read_inventory("hosts");
	expect(good[_i].wanted);
	ck_assert_uint_eq(hosts.passed_over.count, 0);
}
END_TEST

static const struct {
	const char *name, *text, *why;
} passed[] = {
	{"hosts.yml", "a: [\n", "hosts.yml:"},
	{"hosts.yml", "- a\n", "hosts.yml:1: expected a mapping of groups"},
	{"x.yml", "plugin: aws_ec2\n",
	 "x.yml:1: a dynamic inventory is only known to Ansible itself"},
	{"hosts", "a 'b\n", "hosts:1: a quote is not closed"},
	{"hosts", "[a\n", "hosts:1: a section is not closed"},
	{"hosts", "a\nb c\n", "hosts:2: expected key=value behind a host"},
	{"hosts", "# ours\n\nall:\n  hosts: [\n", "hosts:5: "},
	{"hosts", "a\nb[3:1]\n", "hosts:2: 'b[3:1]' is not a range of hosts"},
	{"hosts.yml", "g: {hosts: {'a[x]y[1:2:0]': }}\n", ""},
	{"hosts", "a\n:22\n", "hosts:2: a host without a name"},
	{"hosts.yml", "g: {hosts: {'': }}\n", "hosts.yml: a host without a name"},
	{"hosts.yml", "g: {hosts: {'a[1:2:0]': }}\n",
	 "hosts.yml: 'a[1:2:0]' is not a range of hosts"},
};

START_TEST(what_is_not_understood_is_told)
{
	file(passed[_i].name, passed[_i].text);
	read_inventory(passed[_i].name);
	if (passed[_i].why[0]) {
		ck_assert_uint_eq(hosts.count, 0);
		ck_assert_uint_eq(hosts.passed_over.count, 1);
		ck_assert_msg(str_starts(hosts.passed_over.items[0], passed[_i].why), "%s",
			      hosts.passed_over.items[0]);
	} else {
		ck_assert_uint_eq(hosts.count, 1);
	}
}
END_TEST

START_TEST(ranges_are_those_of_ansible)
{
	static const struct {
		const char *pattern, *wanted;
	} rows[] = {
		{"db", "db"},
		{"db[1:3]", "db1, db2, db3"},
		{"db[08:10]", "db08, db09, db10"},
		{"db[:2].x", "db0.x, db1.x, db2.x"},
		{"[a:c]x", "ax, bx, cx"},
		{"a[1:2]b[x:y]", "a1bx, a1by, a2bx, a2by"},
		{"a[5:5]", "a5"},
		{"a[0:9:4]", "a0, a4, a8"},
		{"[fd00::1]", "[fd00::1]"},
		{"[fd00::1]:22", "[fd00::1]:22"},
		{"a[1]", "a[1]"},
	};
	static const char *const bad[] = {"a[1:]",	"a[1:b]",   "a[3:1]",	  "a[01:100]",
					  "a[0:99999]", "a[1:2:x]", "a[1:2:3:4]", "a[-1:2]"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strs names = STRS_INIT;
		char text[256];

		ck_ok(hosts_expand(&names, rows[i].pattern, &err), &err);
		strs_join(&names, 100, text, sizeof(text));
		ck_assert_str_eq(text, rows[i].wanted);
		strs_release(&names);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct strs names = STRS_INIT;

		ck_assert_msg(hosts_expand(&names, bad[i], &err) == ERR_USAGE, "%s", bad[i]);
		ck_contains(err.msg, "is not a range of hosts");
		strs_release(&names);
	}
}
END_TEST

START_TEST(a_folder_is_read_as_ansible_does)
{
	file("inv/b.yml", "all: {hosts: {two: {ansible_host: 2.2.2.2}}}\n");
	file("inv/a", "one ansible_host=1.1.1.1\ntwo ansible_host=9.9.9.9\n");
	file("inv/more/c", "three\n");
	file("inv/.hidden", "hidden\n");
	file("inv/old.bak", "old\n");
	file("inv/readme.md", "readme\n");
	file("inv/group_vars/all/certs.yml", "certs: {}\n");
	file("inv/host_vars/three.yml", "ansible_host: 3.3.3.3\n");
	file("inv/host_vars/unknown.yml", "ansible_host: 4.4.4.4\n");
	read_inventory("inv");
	expect("one=1.1.1.1* two=2.2.2.2* three=3.3.3.3*");
}
END_TEST

START_TEST(host_variables_win)
{
	file("env/hosts",
	     "a.x ansible_host=1\nb ansible_host=1\nc\nd\ne ansible_host=5.5.5.5\nf\n");
	file("env/host_vars/a.x", "ansible_host: 1.1.1.1\n");
	file("env/host_vars/b.yaml", "ansible_host: 2.2.2.2\n");
	file("env/host_vars/c/net.yml", "x: 1\nansible_host: 3.3.3.3\n");
	file("env/host_vars/c/README.md", "ansible_host: 9.9.9.9\n");
	file("env/host_vars/d.yml", "$ANSIBLE_VAULT;1.1;AES256\n61\n");
	file("env/host_vars/e.yml", "ansible_host: '{{ from_cloud }}'\n");
	file("env/host_vars/f.yml", "a: [\n");
	read_inventory("env/hosts");
	expect("a.x=1.1.1.1* b=2.2.2.2* c=3.3.3.3* d=d* e=5.5.5.5* f=f*");
	ck_assert_uint_eq(hosts.passed_over.count, 1);
	ck_assert(str_starts(hosts.passed_over.items[0], "env/host_vars/f.yml:"));
}
END_TEST

START_TEST(scripts_and_missing_files)
{
	char *path = test_path("inv/script");

	file("inv/script", "#!/bin/sh\necho '{}'\n");
	ck_assert_int_eq(chmod(path, 0755), 0);
	free(path);
	read_inventory("inv");
	expect("");
	ck_assert_uint_eq(hosts.passed_over.count, 1);
	ck_assert_str_eq(hosts.passed_over.items[0],
			 "inv/script: a script is only known to Ansible");
	hosts_release(&hosts);
	ck_assert_int_eq(hosts_read(&hosts, dir, "none", &err), ERR_NOENT);
	ck_assert_str_eq(err.msg, "none: No such file or directory");
}
END_TEST

START_TEST(ten_thousand_hosts_take_no_time)
{
	struct buf buf;

	buf_init(&buf, 1 << 20);
	buf_adds(&buf, "all:\n  children:\n    g:\n      hosts:\n");
	for (int i = 0; i < 10000; i++)
		buf_addf(&buf, "        db%d.example.com: {ansible_host: 10.0.%d.%d}\n", i, i / 256,
			 i % 256);
	ck_ok(buf_check(&buf, "hosts", &err), &err);
	file("hosts", buf.data);
	buf_release(&buf);
	read_inventory("hosts");
	ck_assert_uint_eq(hosts.count, 10000);
	ck_assert_str_eq(hosts_find(&hosts, "db9999.example.com")->address, "10.0.39.15");
	ck_assert_ptr_null(hosts_find(&hosts, "db10000.example.com"));
}
END_TEST

/* What Ansible itself makes of the same folder; slow, so one inventory has it all. */
static struct json *ask_ansible(void)
{
	static const char command[] = "cd %s && ansible-inventory -i inv --list";
	char *line = str_fmt(command, dir);
	struct json *json = NULL;
	struct buf text;
	FILE *pipe = popen(line, "r");
	int c;

	ck_assert_ptr_nonnull(pipe);
	buf_init(&text, 1 << 20);
	while ((c = fgetc(pipe)) != EOF)
		buf_addc(&text, (char)c);
	ck_assert_msg(pclose(pipe) == 0, "ansible-inventory failed (Debian package: ansible)");
	ck_ok(js_parse(&json, text.data, text.len, "ansible-inventory", &err), &err);
	buf_release(&text);
	free(line);
	return json;
}

START_TEST(addresses_are_those_of_ansible_inventory)
{
	struct json *json, *vars;
	size_t listed = 0;

	file("inv/hosts", "[pg]\ndb[01:03].example.com ansible_user=x\n"
			  "db1:2222 ansible_host=10.0.0.1\n"
			  "q1 ansible_host=\"10.0.0.7\" x='a b'  # why\n"
			  "q2 ansible_host='{{ cloud }}'\n[pg:vars]\na=b\n[w:children]\npg\n");
	file("inv/b.yml", "all:\n  children:\n    y:\n      hosts:\n"
			  "        y[a:c]: {ansible_host: 1.1.1.1}\n"
			  "        y0: {ansible_host: 10.9.9.9}\n        q1:\n"
			  "      children: {z: {hosts: {zz: {ansible_host: zz.lan}}}}\n");
	file("inv/host_vars/y0.yml", "ansible_host: 7.7.7.7\n");
	file("inv/sub/more", "n1 ansible_host=5.5.5.5\n");
	file("inv/x.ini", "ignored ansible_host=6.6.6.6\n");
	read_inventory("inv");
	json = ask_ansible();
	vars = js_get(js_get(json, "_meta"), "hostvars");
	for (size_t i = 0; i < hosts.count; i++) {
		const char *name = hosts.items[i].name;
		const char *address = js_str(js_get(vars, name), "ansible_host", name);

		ck_assert_str_eq(hosts.items[i].address, strstr(address, "{{") ? name : address);
	}
	for (const char *name = js_first_key(vars); name; name = js_next_key(vars, name)) {
		ck_assert_msg(hosts_find(&hosts, name), "%s", name);
		listed++;
	}
	ck_assert_uint_eq(listed, hosts.count); /* each has a variable of its own or its group's */
	ck_assert_uint_eq(hosts.count, 12);
	js_free(json);
}
END_TEST

START_TEST(the_fixture_of_chainsmith)
{
	ck_ok(hosts_read(&hosts, "tests/data/chainsmith-python", "environments/poc", &err), &err);
	expect("db1.example.com=10.0.4.42* db2.example.com=10.0.4.43*");
	ck_assert_uint_eq(hosts.passed_over.count, 0);
}
END_TEST

Suite *hosts_suite(void)
{
	Suite *suite = suite_create("hosts");
	TCase *tc = tcase_create("hosts");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, inventories_are_read, 0, (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_loop_test(tc, what_is_not_understood_is_told, 0,
			    (int)(sizeof(passed) / sizeof(passed[0])));
	tcase_add_test(tc, ranges_are_those_of_ansible);
	tcase_add_test(tc, a_folder_is_read_as_ansible_does);
	tcase_add_test(tc, host_variables_win);
	tcase_add_test(tc, scripts_and_missing_files);
	tcase_add_test(tc, ten_thousand_hosts_take_no_time);
	tcase_add_test(tc, addresses_are_those_of_ansible_inventory);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, the_fixture_of_chainsmith);
	suite_add_tcase(suite, tc);
	return suite;
}
