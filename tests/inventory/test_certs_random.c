/* SPDX-License-Identifier: PostgreSQL */
/* Random edits of random documents; CERTROTATE_TEST_SEED takes other documents. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/json.h"
#include "base/strs.h"
#include "inventory/certs.h"
#include "tests/inventory/random_doc.h"
#include "tests/inventory/suites.h"

#define DOCUMENTS 200
#define CHANGES	  (DOC_ENTRIES + 8)

static uint64_t first_seed(void)
{
	const char *text = getenv("CERTROTATE_TEST_SEED");

	return text ? strtoull(text, NULL, 10) : 1;
}

#define ck_doc(condition, doc, seed, after)                                                        \
	ck_assert_msg((condition), "seed %llu: %s\n%s\n--- became ---\n%s",                        \
		      (unsigned long long)(seed), #condition, (doc)->text.data, (after))

struct run {
	uint64_t seed;
	struct doc doc;
	struct certs *certs;
	struct certs_change changes[CHANGES];
	char texts[CHANGES][DOC_VALUE];
	char names[CHANGES][32];
	size_t count;
	struct json *cases;
};

static void open_doc(struct run *run)
{
	struct doc *doc = &run->doc;
	struct err err = {0};

	doc_make(doc, run->seed);
	ck_assert_msg(certs_open(&run->certs, doc->text.data, doc->text.len, "random.yml", NULL,
				 &err) == 0,
		      "seed %llu: %s\n%s", (unsigned long long)run->seed, err.msg, doc->text.data);
	ck_doc(certs_count(run->certs) == doc->count, doc, run->seed, "");
	for (size_t i = 0; i < doc->count; i++) {
		const struct certs_entry *entry = certs_at(run->certs, i);
		const struct doc_entry *made = &doc->entries[i];
		size_t start = (size_t)(entry->raw - doc->text.data);

		ck_assert_msg(!strcmp(entry->value, made->value), "seed %llu: '%s' not '%s' in\n%s",
			      (unsigned long long)run->seed, entry->value, made->value,
			      doc->text.data);
		ck_assert_msg(start == made->start && start + entry->raw_len == made->end,
			      "seed %llu: '%.*s' in\n%s", (unsigned long long)run->seed,
			      (int)entry->raw_len, entry->raw, doc->text.data);
		ck_doc(entry->kind == made->kind && entry->vault == made->vault, doc, run->seed,
		       made->name);
		ck_doc(certs_find(run->certs, made->kind, made->authority, made->name) == entry,
		       doc, run->seed, made->name);
	}
	run->count = 0;
}

static struct certs_change *add_change(struct run *run, enum certs_verb verb, enum certs_kind kind,
				       const char *authority, const char *name, bool vault)
{
	struct certs_change *change = &run->changes[run->count];
	char *text = run->texts[run->count++];

	if (vault)
		(void)snprintf(text, DOC_VALUE, "$ANSIBLE_VAULT;1.1;AES256\n%u\n",
			       (unsigned)doc_random(&run->doc, UINT32_MAX));
	else
		doc_pem(&run->doc, text, DOC_VALUE);
	*change = (struct certs_change){.verb = verb,
					.kind = kind,
					.authority = authority,
					.name = name,
					.text = text,
					.len = strlen(text),
					.vault = vault};
	return change;
}

static char *apply(struct run *run, const struct certs *certs)
{
	struct err err = {0};
	struct buf out;
	int rc;

	buf_init(&out, BUF_TEXT_MAX);
	rc = certs_edit(&out, certs, run->changes, run->count, &err);
	ck_assert_msg(rc == 0, "seed %llu: %s\n%s", (unsigned long long)run->seed, err.msg,
		      run->doc.text.data);
	return buf_detach(&out);
}

static void note_case(struct run *run, const char *after)
{
	static const char *const verbs[] = {[CERTS_SET] = "set",
					    [CERTS_RESTORE] = "restore",
					    [CERTS_INSERT] = "insert",
					    [CERTS_REMOVE] = "remove"};
	struct json *one = js_new_object();
	struct json *changes = js_new_array();

	for (size_t i = 0; i < run->count; i++) {
		const struct certs_change *change = &run->changes[i];
		struct json *row = js_new_array();

		js_push_str(row, verbs[change->verb]);
		js_push_str(row, change->kind == CERTS_KEY ? KEYS_ROOT : CERTS_ROOT);
		js_push_str(row, change->authority);
		js_push_str(row, change->name);
		js_push_str(row, change->text);
		js_push(row, js_new_bool(change->vault));
		js_push(changes, row);
	}
	js_set_str(one, "before", run->doc.text.data);
	js_set_str(one, "after", after);
	js_set(one, "changes", changes);
	ck_assert_int_eq(js_push(run->cases, one), 0);
}

static bool is_block_style(enum yaml_style style)
{
	return style == YAML_STYLE_LITERAL || style == YAML_STYLE_FOLDED;
}

/* All bytes outside of the changed values stand as before, in their order. */
static void check_outside(const struct run *run, const char *after)
{
	const struct doc *doc = &run->doc;
	const char *text = doc->text.data;
	struct certs *certs = NULL;
	struct err err = {0};
	size_t at = 0, old = 0;

	ck_ok(certs_open(&certs, after, strlen(after), "after", NULL, &err), &err);
	for (size_t i = 0; i < doc->count; i++) {
		const struct certs_entry *entry = certs_at(certs, i);
		const struct doc_entry *made = &doc->entries[i];
		size_t line = strcspn(entry->raw, "\r\n");
		size_t rest = 0;

		ck_doc(!memcmp(text + old, after + at, made->start - old), doc, run->seed, after);
		ck_doc(after + at + (made->start - old) == entry->raw, doc, run->seed, after);
		at = (size_t)(entry->raw - after) + entry->raw_len;
		old = made->end;
		/* a comment behind a value moved behind its "|" */
		if (!made->block && is_block_style(entry->style))
			rest = strcspn(text + old, "\r\n");
		ck_doc(!memcmp(entry->raw + line - rest, text + old, rest), doc, run->seed, after);
		old += rest;
	}
	ck_assert_str_eq(text + old, after + at);
	certs_close(certs);
}

static void check_restore(struct run *run, const char *after)
{
	struct certs *changed = NULL;
	struct err err = {0};
	char *back;

	ck_ok(certs_open(&changed, after, strlen(after), "after", NULL, &err), &err);
	for (size_t i = 0; i < run->count; i++) {
		struct certs_change *change = &run->changes[i];
		const struct certs_entry *old = certs_find(run->certs, change->kind,
							   change->authority, change->name);

		change->verb = CERTS_RESTORE;
		change->text = old->value;
		change->len = old->len;
		change->vault = old->vault;
		change->raw = old->raw;
		change->raw_len = old->raw_len;
	}
	back = apply(run, changed);
	ck_doc(!strcmp(back, run->doc.text.data), &run->doc, run->seed, back);
	free(back);
	certs_close(changed);
}

static void try_sets(struct run *run)
{
	char *after;

	for (size_t i = 0; i < run->doc.count; i++) {
		const struct doc_entry *entry = &run->doc.entries[i];
		bool vault = doc_random(&run->doc, 100) < (entry->vault ? 60 : 10);

		if (doc_random(&run->doc, 2))
			add_change(run, CERTS_SET, entry->kind, entry->authority, entry->name,
				   vault);
	}
	after = apply(run, run->certs);
	note_case(run, after);
	check_outside(run, after);
	check_restore(run, after);
	free(after);
}

/* New entries, some below authorities and roots that have to be made, while others go. */
static void try_inserts(struct run *run, bool remove)
{
	static const char *const authorities[] = {"server", "client", "new-é"};
	struct doc *doc = &run->doc;
	char *after;

	run->count = 0;
	for (size_t i = 0; remove && i < doc->count; i++) {
		if (doc_random(doc, 3) == 0)
			add_change(run, CERTS_REMOVE, doc->entries[i].kind,
				   doc->entries[i].authority, doc->entries[i].name, false);
	}
	for (size_t n = 1 + doc_random(doc, 5); n > 0; n--) {
		const struct doc_entry *beside = &doc->entries[doc_random(doc, doc->count)];
		bool known = !remove || doc_random(doc, 2);
		char *name = run->names[run->count];

		(void)snprintf(name, 32, n % 2 ? "new-%zu" : "9%zu.5", n);
		add_change(run, CERTS_INSERT,
			   known ? beside->kind == CERTS_KEY ? CERTS_KEY : CERTS_LEAF
				 : (doc_random(doc, 2) ? CERTS_KEY : CERTS_LEAF),
			   known ? beside->authority : authorities[doc_random(doc, 3)], name,
			   doc_random(doc, 6) == 0);
	}
	after = apply(run, run->certs);
	note_case(run, after);
	if (!remove && !doc->flow && !doc->open_end) {
		struct certs *changed = NULL;
		struct err err = {0};
		char *back;

		ck_ok(certs_open(&changed, after, strlen(after), "after", NULL, &err), &err);
		for (size_t i = 0; i < run->count; i++)
			run->changes[i].verb = CERTS_REMOVE;
		back = apply(run, changed);
		ck_doc(!strcmp(back, doc->text.data), doc, run->seed, back);
		free(back);
		certs_close(changed);
	}
	free(after);
}

/* Writes the cases to a file and lets the other parser read it. */
static void compare_with_python(struct json *cases)
{
	struct err err = {0};
	char *path, *command;
	struct buf text;
	int status;

	test_mkdir();
	path = test_path("cases.json");
	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(js_dump(&text, cases, false, &err), &err);
	test_write(path, text.data);
	command = str_fmt("/usr/bin/python3 tests/inventory/compare_edits.py %s >&2", path);
	status = system(command);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "first seed %llu: see above (needs the package python3-yaml)",
		      (unsigned long long)first_seed());
	free(command);
	free(path);
	buf_release(&text);
	test_rmdir();
}

START_TEST(random_edits_change_what_was_asked_and_nothing_else)
{
	struct run *run = calloc(1, sizeof(*run));

	ck_assert_ptr_nonnull(run);
	run->cases = js_new_array();
	for (size_t i = 0; i < DOCUMENTS; i++) {
		run->seed = first_seed() + i;
		open_doc(run);
		try_sets(run);
		try_inserts(run, false);
		try_inserts(run, true);
		certs_close(run->certs);
		doc_release(&run->doc);
	}
	compare_with_python(run->cases);
	js_free(run->cases);
	free(run);
}
END_TEST

Suite *certs_random_suite(void)
{
	Suite *suite = suite_create("certs_random");
	TCase *tc = tcase_create("certs_random");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, random_edits_change_what_was_asked_and_nothing_else);
	suite_add_tcase(suite, tc);
	return suite;
}
