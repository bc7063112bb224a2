/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/strs.h"
#include "outside/delivery.h"
#include "tests/outside/suites.h"
#include "tests/support/pki.h"

#define WORD "correct horse battery"

static struct arena *arena;
static struct secret word = {(char *)WORD, sizeof(WORD) - 1};
static struct test_chain server_chain, client_chain;
static struct endpoint places[] = {
	{.name = (char *)"db1.example.com", .port = 5432, .protocol = ENDPOINT_POSTGRES},
	{.name = (char *)"rest.example.com", .port = 8008, .protocol = ENDPOINT_TLS},
	{.name = (char *)"fd00::2", .port = 6432, .protocol = ENDPOINT_POSTGRES}};
static struct endpoints endpoints = {places, 3, 3};
static struct delivery_user users[2];
static struct secret keys[2];
static char *pems[2];
static struct delivery_input in;
static struct delivery_files files;
static struct err err;

static void make_user(size_t i, const char *name)
{
	struct key *key = NULL;
	struct cert *leaf = test_client(&client_chain, &key, name);
	struct buf pem;

	buf_init(&pem, BUF_TEXT_MAX);
	buf_adds(&pem, "# a comment of the inventory\n");
	ck_ok(cert_to_pem(&pem, leaf, &err), &err);
	pems[i] = buf_detach(&pem);
	ck_ok(key_to_pem(&keys[i], arena, key, &err), &err);
	users[i] = (struct delivery_user){name, pems[i], strlen(pems[i]), &keys[i]};
	cert_free(leaf);
	key_free(key);
}

static void setup(void)
{
	err_clear(&err);
	arena = arena_new((size_t)1 << 20);
	ck_assert_ptr_nonnull(arena);
	test_mkdir();
	test_chain_init(&server_chain, "server");
	test_chain_init(&client_chain, "client");
	make_user(0, "app");
	make_user(1, "O'Neil; \"x\"/..");
	in = (struct delivery_input){.purpose = DELIVERY_CLIENTS,
				     .environment = "poc",
				     .application = "shop",
				     .phase = "clients",
				     .by = "Anna DBA <anna@example.com>",
				     .made = INT64_C(1795138200),
				     .bundle = &server_chain.bundle,
				     .users = users,
				     .user_count = 2,
				     .endpoints = &endpoints,
				     .passphrase = &word};
}

static void teardown(void)
{
	delivery_files_release(&files);
	free(pems[0]);
	free(pems[1]);
	test_chain_release(&server_chain);
	test_chain_release(&client_chain);
	test_rmdir();
	arena_free(arena);
}

/* The folder's files and folders, sorted, on one line. */
static const char *listing(const char *folder)
{
	static char text[4096];
	char command[4096];
	FILE *pipe;
	size_t len;

	ck_assert_uint_lt((size_t)snprintf(command, sizeof(command),
					   "cd '%s' && find . -mindepth 1 -printf '%%P %%m\\n' | "
					   "LC_ALL=C sort | tr '\\n' ';'",
					   folder),
			  sizeof(command));
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	len = fread(text, 1, sizeof(text) - 1, pipe);
	text[len] = '\0';
	ck_assert_int_eq(pclose(pipe), 0);
	return text;
}

static void put(const char *folder)
{
	ck_ok(delivery_make(&files, &in, &err), &err);
	ck_ok(delivery_write(&files, folder, &in, &err), &err);
}

#define SHARED                                                                                     \
	"README.txt 600;app 700;app/client.crt 600;app/client.key 600;app/client.p12 600;"         \
	"app/client.pk8 600;ca-1.crt 600;ca-2.crt 600;delivery.json 600;root.crt 600;"             \
	"truststore.p12 600;"
#define ODD "O%27Neil%3B%20%22x%22%2F.."

START_TEST(the_folder_has_what_the_phase_asks_for)
{
	char *folder = test_path("out");
	struct stat st;

	put(folder);
	ck_assert_str_eq(listing(folder),
			 ODD " 700;" ODD "/client.crt 600;" ODD "/client.key 600;" ODD
			     "/client.p12 600;" ODD "/client.pk8 600;" SHARED);
	ck_assert_int_eq(stat(folder, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_str_eq(files.folder, folder);
	ck_assert_str_eq(delivery_find(&files, DELIVERY_KEY, "app")->path, "app/client.key");
	ck_assert_ptr_null(delivery_find(&files, DELIVERY_KEY, "nobody"));
	free(folder);
}
END_TEST

START_TEST(a_bundle_alone_where_no_key_is_asked_for)
{
	char *folder = test_path("out"), *readme, *path;

	in.purpose = DELIVERY_TRUST;
	put(folder);
	ck_assert_str_eq(listing(folder), "README.txt 600;ca-1.crt 600;ca-2.crt 600;delivery.json "
					  "600;root.crt 600;truststore.p12 600;");
	path = str_fmt("%s/README.txt", folder);
	readme = test_read(path, NULL);
	ck_contains(readme, "dbname=DATABASE user=USER sslmode=verify-full sslrootcert=root.crt");
	ck_assert_ptr_null(strstr(readme, "PASSPHRASE"));
	ck_assert_ptr_null(strstr(readme, "client.key"));
	free(readme);
	free(path);
	free(folder);
}
END_TEST

/* Strings of odd names are those of the reader's own quoting. */
START_TEST(strings_quote_as_their_readers_want_it)
{
	const struct delivery_file *readme;

	users[0] = users[1];
	in.user_count = 1;
	ck_ok(delivery_make(&files, &in, &err), &err);
	readme = delivery_find(&files, DELIVERY_README, NULL);
	ck_contains(readme->data.data, "host=db1.example.com,fd00::2 port=5432,6432 "
				       "dbname=DATABASE user='O\\'Neil; \"x\"/..'");
	ck_contains(readme->data.data, "sslkey=" ODD "/client.key");
	ck_contains(readme->data.data,
		    "jdbc:postgresql://db1.example.com:5432,[fd00::2]:6432/DATABASE?user=O%27Neil");
	ck_contains(readme->data.data, "Username=\"O'Neil; \"\"x\"\"/..\"");
	ck_contains(readme->data.data, "postgres://O%27Neil%3B%20%22x%22/..@db1.example.com:5432/");
	ck_contains(readme->data.data, "Username={O'Neil; \"x\"/..};SSLmode");
	ck_contains(readme->data.data, "sslkey=O%2527Neil%253B%2520%2522x%2522%252F../client.pk8");
	ck_assert_ptr_null(strstr(readme->data.data, "rest.example.com"));
}
END_TEST

START_TEST(nothing_secret_is_in_it)
{
	ck_ok(delivery_make(&files, &in, &err), &err);
	for (size_t i = 0; i < files.count; i++) {
		const struct buf *data = &files.items[i].data;

		ck_assert_ptr_null(memmem(data->data, data->len, WORD, sizeof(WORD) - 1));
		ck_assert_ptr_null(memmem(data->data, data->len, "BEGIN PRIVATE", 13));
		ck_assert_ptr_null(memmem(data->data, data->len, "BEGIN EC", 8));
	}
}
END_TEST

START_TEST(the_list_tells_of_each_file)
{
	struct json *list = NULL;
	const struct delivery_file *file;

	ck_ok(delivery_make(&files, &in, &err), &err);
	file = delivery_find(&files, DELIVERY_LIST, NULL);
	ck_ok(js_parse(&list, file->data.data, file->data.len, "list", &err), &err);
	ck_assert_str_eq(js_str(list, "application", ""), "shop");
	ck_assert_str_eq(js_str(list, "environment", ""), "poc");
	ck_assert_str_eq(js_str(list, "phase", ""), "clients");
	ck_assert_str_eq(js_str(list, "made", ""), "2026-11-20T01:30:00Z");
	/* but for itself */
	ck_assert_uint_eq(js_count(js_get(list, "files")), files.count - 1);
	ck_assert(str_starts(js_str(js_at(js_get(list, "files"), 0), "sum", ""), "sha256:"));
	ck_assert_str_eq(js_str(js_at(js_get(list, "certificates"), 0), "user", ""), "app");
	ck_assert_uint_eq(strlen(js_str(js_at(js_get(list, "certificates"), 0), "fingerprint", "")),
			  64);
	js_free(list);
}
END_TEST

START_TEST(a_user_whose_key_is_not_ours_gets_the_certificate)
{
	char *folder = test_path("out");

	users[0].key = NULL;
	in.user_count = 1;
	in.passphrase = NULL;
	put(folder);
	ck_assert_str_eq(listing(folder), "README.txt 600;app 700;app/client.crt 600;ca-1.crt 600;"
					  "ca-2.crt 600;delivery.json 600;root.crt 600;"
					  "truststore.p12 600;");
	free(folder);
}
END_TEST

START_TEST(a_key_of_another_certificate_is_no_delivery)
{
	users[0].key = &keys[1];
	ck_assert_int_eq(delivery_make(&files, &in, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "user app: the key belongs to another certificate than 'O=Acme, "
				  "CN=app'");
	ck_assert_uint_eq(files.count, 0);
}
END_TEST

START_TEST(an_earlier_delivery_makes_way_whole)
{
	char *folder = test_path("out");

	put(folder);
	delivery_files_release(&files);
	in.purpose = DELIVERY_PRUNE;
	put(folder);
	ck_assert_str_eq(listing(folder), "README.txt 600;ca-1.crt 600;ca-2.crt 600;delivery.json "
					  "600;root.crt 600;truststore.p12 600;");
	free(folder);
	/* and nothing is left beside it */
	folder = test_path(".");
	ck_contains(listing(folder), "out 700;out/README.txt");
	ck_assert_ptr_null(strstr(listing(folder), ".certrotate-"));
	free(folder);
}
END_TEST

START_TEST(an_empty_folder_will_do)
{
	char *folder = test_path("out");

	ck_assert_int_eq(mkdir(folder, 0755), 0);
	in.user_count = 1;
	put(folder);
	ck_assert_str_eq(listing(folder), SHARED);
	free(folder);
}
END_TEST

/* What is in the way, as a shell command in the temporary directory, and what is said of it. */
static const struct {
	const char *command;
	const char *message;
} obstacles[] = {
	{"mkdir out && echo x >out/mine", "/out: it is not empty, and no delivery"},
	{"echo x >out", "/out: it is no folder"},
	{"mkdir else && ln -s else out", "/out: it is a symbolic link"},
	{"mkdir out && echo '{\"application\": \"other\", \"environment\": \"poc\"}' "
	 ">out/delivery.json",
	 "/out: it is a delivery for another application"},
	{"mkdir out && echo '{\"application\": \"shop\", \"environment\": \"prod\"}' "
	 ">out/delivery.json",
	 "/out: it is a delivery for another application"},
	{"mkdir out && echo '{\"application\": \"shop\", \"environment\": \"poc\", \"files\": "
	 "[]}' >out/delivery.json && echo x >out/mine",
	 "/out: it holds mine, which no delivery wrote"},
	{"mkdir -p out/app && echo '{\"application\": \"shop\", \"environment\": \"poc\", "
	 "\"files\": [{\"path\": \"app/client.key\"}]}' >out/delivery.json && echo x >out/app/mine",
	 "/out: it holds app/mine, which no delivery wrote"},
	{"mkdir out && echo '{\"application\": \"shop\", \"environment\": \"poc\", \"files\": "
	 "[{\"path\": \"../victim\"}]}' >out/delivery.json",
	 "/out/delivery.json: '../victim' is no file's name"},
};

START_TEST(what_is_in_the_way_stays_as_it_is)
{
	char *folder = test_path("out"), *dir = test_path("."), *before;
	char command[4096];

	ck_assert_uint_lt((size_t)snprintf(command, sizeof(command),
					   "cd '%s' && echo x >victim && %s", dir,
					   obstacles[_i].command),
			  sizeof(command));
	ck_assert_int_eq(system(command), 0);
	before = strdup(listing(dir));
	in.purpose = DELIVERY_TRUST;
	ck_ok(delivery_make(&files, &in, &err), &err);
	ck_assert_int_eq(delivery_write(&files, folder, &in, &err), ERR_USAGE);
	ck_assert_msg(str_ends(err.msg, obstacles[_i].message), "%s", err.msg);
	ck_assert_str_eq(listing(dir), before);
	free(before);
	free(folder);
	free(dir);
}
END_TEST

START_TEST(the_folder_above_has_to_be_there)
{
	char *folder = test_path("no/out");

	in.purpose = DELIVERY_TRUST;
	ck_ok(delivery_make(&files, &in, &err), &err);
	ck_assert_int_eq(delivery_write(&files, folder, &in, &err), ERR_NOENT);
	ck_contains(err.msg, "no/out: the folder above it: ");
	ck_assert_str_eq(err.hint, "make it first");
	free(folder);
}
END_TEST

static const struct {
	const char *name;
	const char *folder;
} names[] = {
	{"app", "app"},
	{"web.ro", "web.ro"},
	{"a@b-c_d", "a@b-c_d"},
	{"..", "%2E%2E"},
	{".hidden", "%2Ehidden"},
	{"a/b", "a%2Fb"},
	{"-rf", "%2Drf"},
	{"root.crt", "root%2Ecrt"},
	{"README.txt", "README%2Etxt"},
	{"b\xc3\xa4r", "b%C3%A4r"},
	{"50%", "50%25"},
	{"delivery.json", "delivery%2Ejson"},
};

START_TEST(no_name_leads_out_or_is_one_of_ours)
{
	char *folder = delivery_folder_name(names[_i].name);

	ck_assert_str_eq(folder, names[_i].folder);
	free(folder);
}
END_TEST

START_TEST(every_purpose_has_its_page)
{
	const struct delivery_file *readme;

	in.purpose = (enum delivery_purpose)_i;
	in.user_count = 1;
	ck_ok(delivery_make(&files, &in, &err), &err);
	readme = delivery_find(&files, DELIVERY_README, NULL);
	ck_contains(readme->data.data, "Certificates for shop, environment poc\n====");
	ck_contains(readme->data.data, "by Anna DBA <anna@example.com>");
	ck_contains(readme->data.data, "WHAT TO DO\n\n  1. ");
	ck_contains(readme->data.data, "sslmode=verify-full");
	ck_assert_int_eq(strstr(readme->data.data, "PASSPHRASE") != NULL,
			 delivery_has_keys(in.purpose));
	for (const char *line = readme->data.data, *end; (end = strchr(line, '\n')); line = end + 1)
		ck_assert_msg(end - line <= 92 || !strncmp(line, "    ", 4), "%.*s",
			      (int)(end - line), line);
}
END_TEST

Suite *delivery_suite(void)
{
	Suite *suite = suite_create("delivery");
	TCase *tc = tcase_create("folder");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_folder_has_what_the_phase_asks_for);
	tcase_add_test(tc, a_bundle_alone_where_no_key_is_asked_for);
	tcase_add_test(tc, strings_quote_as_their_readers_want_it);
	tcase_add_test(tc, nothing_secret_is_in_it);
	tcase_add_test(tc, the_list_tells_of_each_file);
	tcase_add_test(tc, a_user_whose_key_is_not_ours_gets_the_certificate);
	tcase_add_test(tc, a_key_of_another_certificate_is_no_delivery);
	tcase_add_test(tc, an_earlier_delivery_makes_way_whole);
	tcase_add_test(tc, an_empty_folder_will_do);
	tcase_add_loop_test(tc, what_is_in_the_way_stays_as_it_is, 0,
			    (int)(sizeof(obstacles) / sizeof(obstacles[0])));
	tcase_add_test(tc, the_folder_above_has_to_be_there);
	tcase_add_loop_test(tc, no_name_leads_out_or_is_one_of_ours, 0,
			    (int)(sizeof(names) / sizeof(names[0])));
	tcase_add_loop_test(tc, every_purpose_has_its_page, 0, DELIVERY_PURPOSE__MAX);
	suite_add_tcase(suite, tc);
	return suite;
}
