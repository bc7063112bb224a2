/* SPDX-License-Identifier: PostgreSQL */
/* With the real ansible-playbook, on this machine only. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "proc/ansible.h"
#include "proc/scratch.h"
#include "tests/proc/suites.h"

static struct err err;
static struct ansible_spec spec;
static struct ansible_result result;
static struct buf shown, progress, lines;
static struct log report;
static char *log_path;
static const char *dir;

static void on_line(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	buf_addf(&lines, "%s\n", text);
}

static void on_progress(void *ctx, const char *text)
{
	(void)ctx;
	buf_addf(&progress, "%s\n", text);
}

static void on_output(void *ctx, const char *data, unsigned long len)
{
	(void)ctx;
	buf_add(&shown, data, len);
}

static void write_file(const char *name, const char *text)
{
	char *path = test_path(name);

	test_write(path, text);
	free(path);
}

static void need_ansible(void)
{
	ck_assert_msg(system("command -v ansible-playbook >/dev/null") == 0,
		      "ansible-playbook is missing: apt install ansible");
}

static void set_up(void)
{
	need_ansible();
	err_clear(&err);
	dir = test_mkdir();
	memset(&spec, 0, sizeof(spec));
	memset(&result, 0, sizeof(result));
	buf_init(&shown, BUF_TEXT_MAX);
	buf_init(&progress, BUF_TEXT_MAX);
	buf_init(&lines, BUF_TEXT_MAX);
	report = (struct log){.line = on_line, .progress = on_progress, .output = on_output};
	log_path = test_path("logs/sub/rollout.log");
	spec.directory = dir;
	spec.inventory = "hosts";
	spec.playbook = "play.yml";
	spec.log_path = log_path;
	spec.log = &report;
	spec.title = "rollout";
	spec.deadline_s = 60;
	write_file("ansible.cfg", "[defaults]\n"
				  "host_key_checking = false\n"
				  "display_ok_hosts = false\n"
				  "display_skipped_hosts = false\n"
				  "stdout_callback = minimal\n"
				  "log_path = ansible-own.log\n"
				  "timeout = 5\n"
				  "[diff]\n"
				  "always = true\n");
	write_file("hosts", "[db]\n"
			    "db1.example.com ansible_connection=local\n"
			    "db2.example.com ansible_connection=local\n"
			    "[gone]\n"
			    "[all:vars]\n"
			    "ansible_python_interpreter=/usr/bin/python3\n");
}

static void tear_down(void)
{
	ansible_result_release(&result);
	buf_release(&shown);
	buf_release(&progress);
	buf_release(&lines);
	free(log_path);
	test_rmdir();
}

static void expect_failure(const char *message)
{
	int rc = ansible_run(&result, &spec, &err);

	ck_assert_msg(rc == ERR_FAIL, "rc %d: %s\n%s", rc, err.msg, shown.data);
	ck_assert_msg(strcmp(err.msg, message) == 0, "'%s' is not '%s'\n%s", err.msg, message,
		      shown.data);
}

/* The private folder that Ansible said it used is not there any more. */
static void check_scratch_is_gone(const char *log)
{
	const char *start = strstr(log, "temp=/dev/shm/certrotate-scratch-");
	char path[64];

	ck_assert_ptr_nonnull(start);
	ck_assert_int_eq(sscanf(start, "temp=%63[A-Za-z0-9/-]", path), 1);
	path[strlen("/dev/shm/certrotate-scratch-XXXXXX")] = '\0';
	ck_assert_int_ne(access(path, F_OK), 0);
}

START_TEST(fine_run)
{
	const char *vars[] = {"certrotate_phase=trust",
			      "certrotate_environment=a \"b\" 'c' \303\251", NULL};
	struct stat st;
	char *log, *out;

	write_file("play.yml",
		   "- hosts: db\n"
		   "  gather_facts: false\n"
		   "  tasks:\n"
		   "  - name: write the phase\n"
		   "    copy:\n"
		   "      content: \"{{ certrotate_phase }} {{ certrotate_environment }}\"\n"
		   "      dest: \"{{ playbook_dir }}/{{ inventory_hostname }}.out\"\n"
		   "  - name: skipped here\n"
		   "    command: /bin/true\n"
		   "    when: false\n"
		   "  - name: where the temporary folder is\n"
		   "    debug: {msg: \"temp={{ lookup('config', 'DEFAULT_LOCAL_TMP') }}\"}\n");
	spec.vars = vars;
	spec.hosts = 2;
	(void)umask(077); /* as secret_harden_process does: not for what Ansible makes */
	ck_ok(ansible_run(&result, &spec, &err), &err);
	ck_assert_uint_eq(result.count, 2);
	ck_assert_str_eq(result.hosts[0].name, "db1.example.com");
	ck_assert_uint_eq(result.hosts[0].ok, 2);
	ck_assert_uint_eq(result.hosts[0].changed, 1);
	ck_assert_uint_eq(result.hosts[1].skipped, 1);
	ck_assert_ptr_eq(ansible_host(&result, "db2.example.com"), &result.hosts[1]);
	ck_assert_ptr_null(ansible_host(&result, "db3.example.com"));
	out = test_path("db2.example.com.out");
	ck_assert_int_eq(stat(out, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0644);
	log = test_read(out, NULL);
	ck_assert_str_eq(log, "trust a \"b\" 'c' \303\251");
	free(log);
	log = test_read(log_path, NULL);
	ck_contains(log, " ansible-playbook -i hosts -e {");
	ck_contains(log, "ok: [db1.example.com]"); /* although ansible.cfg hides them */
	ck_contains(log, "skipping: [db2.example.com]");
	ck_contains(log, "temp=/dev/shm/certrotate-scratch-");
	ck_contains(shown.data, "TASK [write the phase]");
	ck_assert_ptr_null(strchr(shown.data, '\033'));
	ck_assert_ptr_null(strstr(shown.data, "+++ after")); /* no diff */
	ck_contains(progress.data, "rollout: starting: 0 of 2 hosts, 00:00\n");
	ck_contains(progress.data, "rollout: write the phase: ");
	ck_assert_str_eq(progress.data + progress.len - 2, "\n\n"); /* removed at the end */
	ck_assert_int_eq(stat(log_path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	*strrchr(log_path, '/') = '\0';
	ck_assert_int_eq(stat(log_path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0700);
	check_scratch_is_gone(log);
	free(log);
	log = test_path("ansible-own.log");
	ck_assert_int_ne(access(log, F_OK), 0);
	free(log);
	free(out);
}
END_TEST

/* A port of the loopback on which nobody listens. */
static unsigned closed_port(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	(void)close(fd);
	return ntohs(addr.sin_port);
}

START_TEST(failing_and_unreachable_hosts)
{
	char hosts[512], want[1024];
	unsigned port = closed_port();
	struct strs failed = STRS_INIT;

	(void)snprintf(hosts, sizeof(hosts),
		       "[db]\n"
		       "db1 ansible_connection=local\n"
		       "db2 ansible_connection=local\n"
		       "db3 ansible_connection=local\n"
		       "db4 ansible_host=127.0.0.1 ansible_port=%u\n"
		       "[all:vars]\n"
		       "ansible_python_interpreter=/usr/bin/python3\n",
		       port);
	write_file("hosts", hosts);
	write_file("play.yml", "- hosts: db\n"
			       "  gather_facts: false\n"
			       "  tasks:\n"
			       "  - name: reach\n"
			       "    ping:\n"
			       "  - name: reload\n"
			       "    fail: {msg: \"not\\nreloaded\"}\n"
			       "    when: inventory_hostname == 'db2'\n"
			       "  - name: loop\n"
			       "    command: sh -c 'echo {{ item }} >&2; exit {{ item }}'\n"
			       "    loop: [0, 7]\n"
			       "    when: inventory_hostname == 'db3'\n");
	(void)snprintf(want, sizeof(want),
		       "play.yml: failed on db2 (task 'reload'): not reloaded; failed on db3 (task "
		       "'loop'): non-zero return code: 7; unreachable: db4: Failed to connect to "
		       "the host via ssh: ssh: connect to host 127.0.0.1 port %u: Connection "
		       "refused",
		       port);
	expect_failure(want);
	ck_contains(err.hint, "the whole output is in ");
	ck_contains(err.hint, log_path);
	ck_assert_uint_eq(result.count, 4);
	ck_assert_uint_eq(result.hosts[1].failed, 1);
	ck_assert_str_eq(result.hosts[1].task, "reload");
	ck_assert_uint_eq(result.hosts[3].unreachable, 1);
	ck_ok(ansible_failed(&failed, &result, &err), &err);
	ck_assert_uint_eq(failed.count, 3);
	strs_release(&failed);
}
END_TEST

START_TEST(nobody_matched)
{
	write_file("play.yml", "- hosts: gone\n  gather_facts: false\n  tasks:\n  - ping:\n");
	expect_failure("play.yml: no host of hosts was rolled out to");
	ck_assert_int_eq(result.exit_code, 0);
	ck_contains(err.hint, "compare the playbook's hosts: with the groups of hosts");
}
END_TEST

START_TEST(missing_inventory)
{
	write_file("play.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n  - ping:\n");
	spec.inventory = "nowhere";
	expect_failure(
		"play.yml: ansible: No inventory was parsed, please check your configuration "
		"and options.");
}
END_TEST

START_TEST(wrong_vault_password)
{
	char *password = test_path("password");
	char *command = str_fmt("cd %s && mkdir -p group_vars/all && echo 'a: b' >v.yml && "
				"ansible-vault encrypt --vault-password-file password v.yml "
				"--output group_vars/all/v.yml 2>/dev/null",
				dir);

	write_file("play.yml", "- hosts: db\n  gather_facts: false\n  tasks:\n  - ping:\n");
	write_file("password", "right\n");
	ck_assert_int_eq(system(command), 0);
	write_file("password", "wrong\n");
	spec.vault_password_file = password;
	ck_assert_int_eq(ansible_run(&result, &spec, &err), ERR_FAIL);
	ck_contains(err.msg, "play.yml: ansible cannot decrypt a vault: Decryption failed");
	ck_contains(err.hint, "check the vault password");
	ansible_result_release(&result);
	spec.vault_password_file = NULL;
	ck_assert_int_eq(ansible_run(&result, &spec, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "play.yml: ansible cannot decrypt a vault: Attempting to decrypt "
				  "but no vault secrets found");
	free(command);
	free(password);
}
END_TEST

#define BODY "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"

START_TEST(printed_key_is_removed)
{
	char *log;

	write_file("play.yml", "- hosts: db\n"
			       "  gather_facts: false\n"
			       "  vars:\n"
			       "    key: |\n"
			       "      -----BEGIN PRIVATE KEY-----\n"
			       "      " BODY "\n"
			       "      " BODY "\n"
			       "      -----END PRIVATE KEY-----\n"
			       "  tasks:\n"
			       "  - name: show\n"
			       "    debug: {var: key}\n"
			       "  - name: slurp\n"
			       "    debug: {msg: \"{{ key | b64encode }}\"}\n"
			       "  - name: place\n"
			       "    copy: {content: \"{{ item }}\", dest: /nowhere/at/all}\n"
			       "    diff: true\n"
			       "    loop: [\"{{ key }}\"]\n");
	spec.color = true;
	ck_assert_int_eq(ansible_run(&result, &spec, &err), ERR_FAIL);
	log = test_read(log_path, NULL);
	ck_contains(shown.data, "\"key\": \"[private key removed]");
	ck_contains(shown.data, "\"msg\": \"[private key removed]\"");
	ck_contains(shown.data, "\033[0;31m"); /* colours for the terminal, none in the log */
	ck_assert_ptr_null(strchr(log, '\033'));
	ck_contains(log, "[private key removed]");
	ck_assert_ptr_null(strstr(shown.data, "MIIEvQIBAD"));
	ck_assert_ptr_null(strstr(log, "MIIEvQIBAD"));
	ck_assert_ptr_null(strstr(log, "TUlJRXZRSUJBR"));
	ck_assert_ptr_null(strstr(err.msg, "MIIEvQIBAD"));
	ck_contains(err.msg, "failed on db1.example.com (task 'place'): Destination directory "
			     "/nowhere/at does not exist");
	ck_assert_uint_ge(result.keys_removed, 6);
	ck_assert_ptr_nonnull(strstr(shown.data, "PLAY RECAP"));
	free(log);
}
END_TEST

START_TEST(deadline_ends_ansible)
{
	write_file("play.yml", "- hosts: db\n"
			       "  gather_facts: false\n"
			       "  tasks:\n"
			       "  - name: hang\n"
			       "    command: sleep 61.625\n");
	spec.deadline_s = 2;
	ck_assert_int_eq(ansible_run(&result, &spec, &err), ERR_FAIL);
	ck_contains(err.msg, "play.yml: not done after 2 s, ended");
	ck_contains(err.hint, log_path);
	ck_assert_int_ne(system("pgrep -f '[s]leep 61.625' >/dev/null"), 0);
}
END_TEST

static struct loop_stop stop;

static void on_signal(int sig)
{
	(void)sig;
	loop_stop_request(&stop);
}

START_TEST(stop_request_ends_ansible)
{
	struct sigaction action = {.sa_handler = on_signal};
	char waiting[32];
	const char *vars[] = {waiting, NULL};

	ck_ok(loop_stop_init(&stop, &err), &err);
	(void)sigaction(SIGALRM, &action, NULL);
	write_file("play.yml", "- hosts: db\n"
			       "  gather_facts: false\n"
			       "  tasks:\n"
			       "  - name: hang\n"
			       "    shell: kill -ALRM {{ waiting }}; sleep 62.625\n");
	spec.stop = &stop;
	(void)snprintf(waiting, sizeof(waiting), "waiting=%d", (int)getpid());
	spec.vars = vars;
	ck_assert_int_eq(ansible_run(&result, &spec, &err), ERR_STOPPED);
	ck_assert_str_eq(err.msg, "play.yml: stopped in task 'hang'");
	ck_assert_int_ne(system("pgrep -f '[s]leep 62.625' >/dev/null"), 0);
	loop_stop_release(&stop);
}
END_TEST

/* What a killed process left behind goes with the next sweep or run; what is in use stays. */
START_TEST(scratch_of_the_dead_is_removed)
{
	struct scratch mine, other = {.path = NULL};
	char *file;
	pid_t pid;

	ck_ok(scratch_make(&mine, &err), &err);
	file = str_fmt("%s/left", mine.path);
	pid = fork();
	if (pid == 0) {
		(void)close(mine.fd); /* the lock goes with its last descriptor */
		if (scratch_make(&other, &err))
			_exit(1);
		test_write(file, other.path);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	{
		char *left = test_read(file, NULL);

		ck_assert_int_eq(access(left, F_OK), 0);
		if (_i == 0)
			scratch_sweep();
		else
			ck_ok(scratch_make(&other, &err), &err);
		ck_assert_int_ne(access(left, F_OK), 0);
		ck_assert_int_eq(access(mine.path, F_OK), 0);
		free(left);
	}
	scratch_remove(&other);
	scratch_remove(&mine);
	ck_assert_int_ne(access(file, F_OK), 0);
	free(file);
}
END_TEST

START_TEST(log_is_a_regular_file)
{
	char *folder;

	write_file("play.yml", "");
	*strrchr(log_path, '/') = '\0'; /* the folder */
	folder = test_path("logs");
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	free(folder);
	ck_assert_int_eq(mkfifo(log_path, 0600), 0);
	ck_assert_int_eq(ansible_run(&result, &spec, &err), ERR_FAIL);
	ck_contains(err.msg, "cannot write the log ");
	spec.log_path = dir;
	ck_assert_int_eq(ansible_run(&result, &spec, &err), ERR_FAIL);
	ck_contains(err.msg, ": Is a directory");
	ck_assert_uint_eq(shown.len, 0);
}
END_TEST

START_TEST(missing_program)
{
	spec.program = "ansible-playbook-nowhere";
	write_file("play.yml", "");
	ck_assert_int_eq(ansible_run(&result, &spec, &err), ERR_NOENT);
	ck_assert_str_eq(err.msg, "ansible-playbook-nowhere was not found in PATH");
	ck_contains(err.hint, "install Ansible");
}
END_TEST

START_TEST(diff_is_refused)
{
	static const char *const args[] = {"--diff", "--dif", "-D", "-vvD"};

	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		struct strs extra = STRS_INIT;

		ck_ok(strs_add(&extra, args[i], &err), &err);
		spec.extra_args = &extra;
		ck_assert_int_eq(ansible_run(&result, &spec, &err), ERR_USAGE);
		ck_contains(err.msg, "would print the private keys");
		strs_release(&extra);
	}
}
END_TEST

Suite *ansible_suite(void)
{
	Suite *suite = suite_create("proc/ansible");
	TCase *tc = tcase_create("ansible");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, fine_run);
	tcase_add_test(tc, failing_and_unreachable_hosts);
	tcase_add_test(tc, nobody_matched);
	tcase_add_test(tc, missing_inventory);
	tcase_add_test(tc, wrong_vault_password);
	tcase_add_test(tc, printed_key_is_removed);
	tcase_add_test(tc, deadline_ends_ansible);
	tcase_add_test(tc, stop_request_ends_ansible);
	tcase_add_test(tc, missing_program);
	tcase_add_loop_test(tc, scratch_of_the_dead_is_removed, 0, 2);
	tcase_add_test(tc, log_is_a_regular_file);
	tcase_add_test(tc, diff_is_refused);
	suite_add_tcase(suite, tc);
	return suite;
}
