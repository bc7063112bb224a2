/* SPDX-License-Identifier: PostgreSQL */
#include "state/merge_text.h"

#include <stdlib.h>
#include <string.h>

#include "git/commit.h"
#include "state/store.h"
#include "state/table.h"

#define LIST_MAX    30	  /* of files, findings and waivers */
#define WALK_MAX    1000  /* commits that others put on the branch */
#define COMMENT_MAX 60000 /* bytes: GitHub takes comments of 65,536 characters */
#define REASON_MAX  400
#define INDENT	    "    "

/* A code span, whatever is in it (CommonMark 0.30, section 6.1: no backslash works there). */
static void add_code(struct buf *out, const char *text)
{
	struct buf safe;

	buf_init(&safe, BUF_TEXT_MAX);
	buf_add_safe(&safe, text, strlen(text));
	buf_addc(out, '`');
	for (const char *at = safe.data; *at; at++)
		buf_addc(out, *at == '`' ? '\'' : *at);
	/* an empty span is none */
	buf_adds(out, safe.len ? "`" : " `");
	buf_release(&safe);
}

/* The beginning of a long one, cut where a character ends. */
static void add_cut(struct buf *out, const char *text)
{
	size_t len = strlen(text);
	struct buf cut;

	buf_init(&cut, BUF_TEXT_MAX);
	if (len > REASON_MAX) {
		len = REASON_MAX;
		while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	buf_add(&cut, text, len);
	buf_adds(&cut, text[len] ? " …" : "");
	add_code(out, cut.data);
	buf_release(&cut);
}

/* The same in a cell of a table: a bar would end it. */
static void add_cell(struct buf *out, const char *text)
{
	struct buf cell;

	buf_init(&cell, BUF_TEXT_MAX);
	for (; *text; text++)
		buf_addc(&cell, *text == '|' ? '/' : *text);
	add_code(out, cell.data);
	buf_release(&cell);
}

/* An indented block: each line as it is. */
static void add_block(struct buf *out, const char *text, size_t len)
{
	buf_addc(out, '\n');
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;

		buf_adds(out, line ? INDENT : "");
		buf_add_safe(out, text, line);
		buf_addc(out, '\n');
		text += line + (end ? 1 : 0);
		len -= line + (end ? 1 : 0);
	}
	buf_addc(out, '\n');
}

static void add_count(struct buf *out, size_t count, const char *what)
{
	buf_addf(out, "%zu %s%s", count, what, count == 1 ? "" : "s");
}

static const char *kind_name(enum leaf_kind kind)
{
	return kind == LEAF_SERVER ? "server" : "client";
}

/* How long the leaves of one kind are good: which ends first, and when the last does. */
static void add_leaves(struct buf *out, const struct generation *gen, enum leaf_kind kind)
{
	const struct gen_leaf *first = NULL, *last = NULL;
	char from[SYS_TIME_SIZE], until[SYS_TIME_SIZE];
	size_t count = 0;

	for (size_t i = 0; i < gen->leaf_count; i++) {
		const struct gen_leaf *leaf = &gen->leaves[i];

		if (leaf->kind != kind)
			continue;
		count++;
		if (!first || cert_not_after(leaf->cert) < cert_not_after(first->cert))
			first = leaf;
		if (!last || cert_not_after(leaf->cert) > cert_not_after(last->cert))
			last = leaf;
	}
	if (!count)
		return;
	sys_time_text(cert_not_after(first->cert), from);
	sys_time_text(cert_not_after(last->cert), until);
	buf_adds(out, "| ");
	add_count(out, count, kind_name(kind));
	buf_addf(out, " | %.10s", from);
	if (strncmp(from, until, 10) != 0) {
		buf_adds(out, " (");
		add_cell(out, first->name);
		buf_addf(out, ") to %.10s", until);
	}
	buf_adds(out, " |\n");
}

static int add_chain(struct buf *out, struct session *session, const struct oid *commit,
		     const char *id, struct err *err)
{
	char *path = str_fmt(".certrotate/%s/%s.yml", session->env->name, id);
	struct strs seen = STRS_INIT;
	struct generation gen;
	char until[SYS_TIME_SIZE];
	struct buf text;
	int rc = path ? 0 : err_nomem(err);

	buf_init(&text, SESSION_FILE_MAX);
	rc = rc ? rc : repo_read(&text, session->repo, commit, path, SESSION_FILE_MAX, err);
	rc = rc ? rc
		: generation_load(&gen, id, session->arena, text.data, text.len, path, NULL, "",
				  err);
	buf_release(&text);
	free(path);
	/* What does not load is the business of whoever rolls it out; the text does without. */
	if (rc)
		return err_starved() ? rc : 0;
	buf_adds(out, "\n**The new chain** ");
	add_code(out, id);
	buf_adds(out, "\n\n| certificate | valid until |\n|---|---|\n");
	for (size_t i = 0; i < gen.authority_count && !rc; i++) {
		const struct bundle *bundle = &gen.authorities[i].bundle;

		for (size_t j = 0; j < bundle->count && !rc; j++) {
			const struct cert *cert = bundle->items[j];

			if (strs_has(&seen, cert_fingerprint(cert)))
				continue;
			rc = strs_add(&seen, cert_fingerprint(cert), err);
			sys_time_text(cert_not_after(cert), until);
			buf_adds(out, "| ");
			add_cell(out, cert_subject(cert));
			buf_addf(out, " | %.10s |\n", until);
		}
	}
	add_leaves(out, &gen, LEAF_SERVER);
	add_leaves(out, &gen, LEAF_CLIENT);
	strs_release(&seen);
	generation_release(&gen);
	return rc;
}

static int add_files(struct buf *out, struct session *session, const struct mark *mark,
		     struct err *err)
{
	struct strs files = STRS_INIT;
	int rc = oid_is_none(&mark->parent)
			 ? 0
			 : repo_changed_between(&files, session->repo, &mark->parent, &mark->commit,
						err);

	buf_adds(out, "**Files**\n\n");
	for (size_t i = 0; i < files.count && i < LIST_MAX; i++) {
		buf_adds(out, "- ");
		add_code(out, files.items[i]);
		buf_addc(out, '\n');
	}
	if (files.count > LIST_MAX)
		buf_addf(out, "- and %zu more\n", files.count - LIST_MAX);
	strs_release(&files);
	return rc;
}

static void add_waivers(struct buf *out, const struct json *waivers)
{
	if (!js_count(waivers))
		return;
	buf_adds(out, "\n**Waived**\n\n");
	for (size_t i = 0; i < js_count(waivers) && i < LIST_MAX; i++) {
		const struct json *waiver = js_at(waivers, i);

		buf_adds(out, "- ");
		add_code(out, js_str(waiver, "gate", ""));
		buf_adds(out, " of ");
		add_code(out, js_str(waiver, "subject", ""));
		buf_adds(out, ": ");
		add_cut(out, js_str(waiver, "reason", ""));
		buf_adds(out, ", by ");
		add_code(out, js_str(waiver, "by", ""));
		buf_addc(out, '\n');
	}
}

static void add_what_next(struct buf *out, const struct session *session, enum direction direction)
{
	buf_adds(out, "\nNothing is rolled out before this is merged; whoever merges it approves "
		      "it. A merge commit, a squash and a rebase all do, and the branch may be "
		      "deleted. Once it is merged, type:\n");
	buf_addf(out, "\n    certrotate %s --env %s\n\n", direction_verb(direction),
		 session->env->name);
	buf_adds(out, "Where it shall not be done, close it.\n");
}

static int describe(struct buf *out, struct session *session, const struct mark *mark,
		    const struct store *store, const char *marker, struct err *err)
{
	const struct under_way *under_way = &store->under_way;
	struct buf body;
	int rc;

	buf_init(&body, BUF_TEXT_MAX);
	rc = commit_body(&body, session->repo, &mark->commit, err);
	buf_addf(out, "%s\n", marker);
	buf_addf(out, "%s phase `%s` of the rotation `%s` in the environment `%s`.\n",
		 under_way->direction == DIRECTION_BACK ? "Takes back the" : "The",
		 phase_name(under_way->phase), store->rotation ? store->rotation : "",
		 store->environment);
	add_block(out, body.data, body.len);
	buf_release(&body);
	buf_adds(out, "Opened by ");
	add_code(out, under_way->by ? under_way->by : "");
	buf_adds(out, " on ");
	add_code(out, under_way->host ? under_way->host : "");
	if (under_way->reason) {
		buf_adds(out, ", because: ");
		add_code(out, under_way->reason);
	}
	buf_adds(out, ".\n\n");
	rc = rc ? rc : add_files(out, session, mark, err);
	add_waivers(out, store->waivers);
	if (!rc && store->new_gen)
		rc = add_chain(out, session, &mark->commit, store->new_gen, err);
	add_what_next(out, session, under_way->direction);
	return rc ? rc : buf_check(out, "the text of a merge request", err);
}

/* Behind "<!-- certrotate ROTATION/PHASE/DIRECTION" comes what tells one text from another. */
static char *marker_of(const char *rotation, const char *phase, const char *direction,
		       const char *which)
{
	return str_fmt(MERGE_MARK "%s/%s/%s %s -->", rotation, phase, direction, which);
}

int merge_text_make(struct merge_text *out, struct session *session, const struct oid *tip,
		    struct err *err)
{
	struct marks marks = {0};
	struct store store;
	struct buf text;
	int rc = commit_find(&marks, session->repo, tip, session->env->name, NULL, WALK_MAX, 1,
			     err);

	*out = (struct merge_text){.title = NULL};
	if (!rc && !marks.count)
		rc = err_set(err, ERR_FAIL, "no commit of certrotate for %s is at or below %.12s",
			     session->env->name, tip->hex);
	if (rc)
		return rc;
	buf_init(&text, BUF_TEXT_MAX);
	rc = session_state_of(&store, session, &marks.items[0].commit, marks.items[0].commit.hex,
			      err);
	if (!rc) {
		const struct under_way *under_way = &store.under_way;

		out->title = strdup(marks.items[0].subject);
		out->marker = marker_of(
			store.rotation ? store.rotation : "", phase_name(under_way->phase),
			direction_name(under_way->direction), marks.items[0].commit.hex);
		rc = out->title && out->marker
			     ? describe(&text, session, &marks.items[0], &store, out->marker, err)
			     : err_nomem(err);
		store_release(&store);
	}
	if (!rc)
		out->text = buf_detach(&text);
	if (!rc && !out->text)
		rc = err_nomem(err);
	if (rc)
		merge_text_release(out);
	buf_release(&text);
	marks_release(&marks);
	return rc;
}

void merge_text_release(struct merge_text *text)
{
	free(text->title);
	free(text->text);
	free(text->marker);
	*text = (struct merge_text){.title = NULL};
}

/* ---- evidence */

static void add_runs(struct buf *out, const struct json *rollout)
{
	for (size_t i = 0; i < js_count(rollout) && i < LIST_MAX; i++) {
		const struct json *run = js_at(rollout, i);
		size_t hosts = store_list_count(run, "hosts");

		buf_adds(out, "- rolled out with ");
		add_code(out, js_str(run, "playbook", ""));
		buf_adds(out, ": ");
		add_count(out, hosts, "host");
		buf_addf(out, ", %lld changed, %lld s\n", (long long)js_int(run, "changed", 0),
			 (long long)(js_int(run, "ms", 0) / 1000));
	}
}

static void add_proof(struct buf *out, const struct json *proof)
{
	buf_addf(out, "- proven: %lld leaves, %lld pairs of leaf and bundle, %lld handshakes\n",
		 (long long)js_int(proof, "leaves", 0), (long long)js_int(proof, "pairs", 0),
		 (long long)js_int(proof, "handshakes", 0));
}

static void add_probes(struct buf *out, const struct json *probes)
{
	if (!js_is_object(probes))
		return;
	buf_adds(out, "- probed: ");
	add_count(out, store_list_count(probes, "leaves"), "endpoint");
	buf_adds(out, ", ");
	add_count(out, store_list_count(probes, "logins"), "login");
	buf_adds(out, "; all as it has to be\n");
}

static void add_findings(struct buf *out, const struct json *findings)
{
	size_t count = js_count(findings);

	if (!count)
		return;
	buf_adds(out, "\n**Findings**\n\n");
	for (size_t i = 0; i < count && i < LIST_MAX; i++) {
		const struct json *finding = js_at(findings, i);

		buf_addf(out, "- %s%s: ", js_bool(finding, "waived", false) ? "waived " : "",
			 js_str(finding, "severity", ""));
		add_code(out, js_str(finding, "subject", ""));
		buf_adds(out, ": ");
		add_cut(out, js_str(finding, "reason", ""));
		buf_addc(out, '\n');
	}
	if (count > LIST_MAX)
		buf_addf(out, "- and %zu more\n", count - LIST_MAX);
}

/* All of it, as the history keeps it, where it fits into a comment. */
static int add_entry(struct buf *out, const struct json *entry, struct err *err)
{
	struct buf text;
	size_t lines = 0;
	int rc;

	buf_init(&text, BUF_TEXT_MAX);
	rc = js_dump(&text, entry, true, err);
	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	if (!rc && out->len + text.len + lines * strlen(INDENT) <= COMMENT_MAX) {
		buf_adds(out, "\n<details><summary>As it is in the history</summary>\n");
		add_block(out, text.data, text.len);
		buf_adds(out, "</details>\n");
	} else if (!rc) {
		buf_adds(out, "\n`certrotate log --json` has all of it.\n");
	}
	buf_release(&text);
	return rc;
}

int merge_text_evidence(char **marker, struct buf *out, const struct session *session,
			const struct json *entry, struct err *err)
{
	const char *to = js_str(entry, "to", "");
	enum state state = state_parse(to);

	*marker = marker_of(js_str(entry, "rotation", ""), js_str(entry, "phase", ""),
			    js_str(entry, "direction", ""), "evidence");
	if (!*marker)
		return err_nomem(err);
	buf_addf(out, "**%s**: ", js_str(entry, "outcome", ""));
	add_code(out, js_str(entry, "phase", ""));
	buf_adds(out, " in ");
	add_code(out, session->env->name);
	buf_adds(out, ". The state is now ");
	add_code(out, to);
	buf_addf(out, ": %s.\n\n", state == STATE__MAX ? "" : state_meaning(state));
	buf_adds(out, "- by ");
	add_code(out, js_str(entry, "by", ""));
	buf_adds(out, " on ");
	add_code(out, js_str(entry, "host", ""));
	buf_addf(out, ", begun %s, complete %s, from commit %.12s\n", js_str(entry, "since", ""),
		 js_str(entry, "at", ""), js_str(entry, "commit", ""));
	add_proof(out, js_get(entry, "proof"));
	add_runs(out, js_get(entry, "rollout"));
	add_probes(out, js_get(entry, "probes"));
	add_waivers(out, js_get(entry, "waivers"));
	add_findings(out, js_get(entry, "findings"));
	if (add_entry(out, entry, err))
		return err ? err->code : ERR_FAIL;
	return buf_check(out, "the evidence of a phase", err);
}
