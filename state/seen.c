/* SPDX-License-Identifier: PostgreSQL */
#include "state/seen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "pki/sum.h"
#include "state/session.h"

#define FOLDER	 "certrotate"
#define NAME	 ".seen" /* no environment's */
#define FILE_MAX ((size_t)16 << 20)
#define HEADER	 "certrotate " CERTROTATE_VERSION " "
#define WORDS	 8 /* of a state in brief */

enum field {
	FIELD_ENV,
	FIELD_WHAT,
	FIELD_STATE,
	FIELD_BASE,
	FIELD_BLOBS,
	FIELD_EXPIRY,
	FIELD_NAME,
	FIELD__MAX
};

static char *folder_of(const struct repo *repo)
{
	return path_join(repo_common_dir(repo), FOLDER);
}

static int take_line(struct seen *seen, const char *line)
{
	size_t number = seen->lines.count;
	char *env = strndup(line, strcspn(line, "\t"));
	int rc = env ? 0 : err_nomem(NULL);

	if (!rc && strmap_get(&seen->by_env, env, &number)) {
		char *copy = strdup(line);

		if (copy) {
			free(seen->lines.items[number]);
			seen->lines.items[number] = copy;
		} else {
			rc = err_nomem(NULL);
		}
	} else if (!rc) {
		rc = strs_add(&seen->lines, line, NULL);
		rc = rc ? rc : strmap_put(&seen->by_env, env, number, NULL);
	}
	free(env);
	return rc;
}

/* The lines behind a header that is theirs; NULL where it is not. */
static char *body_of(char *text, size_t len)
{
	size_t header = sizeof(HEADER) - 1 + SUM_SIZE - 1;
	char sum[SUM_SIZE];

	if (len <= header || strncmp(text, HEADER, sizeof(HEADER) - 1) != 0 ||
	    text[header] != '\n' || strlen(text) != len ||
	    sum_text(sum, text + header + 1, len - header - 1, NULL) ||
	    memcmp(sum, text + sizeof(HEADER) - 1, SUM_SIZE - 1) != 0)
		return NULL;
	return text + header + 1;
}

void seen_load(struct seen *seen, const struct repo *repo)
{
	char *folder = folder_of(repo), *path = folder ? path_join(folder, NAME) : NULL;
	struct err unread = {0};
	struct buf text;
	char *rest = NULL;
	int rc = path ? 0 : err_nomem(NULL);

	*seen = (struct seen){.changed = false};
	buf_init(&text, FILE_MAX);
	rc = rc ? rc : file_read(&text, path, FILE_MAX, &unread);
	for (char *line = rc ? NULL : body_of(text.data, text.len); line && !rc; line = rest) {
		rest = strchr(line, '\n');
		if (!rest)
			break;
		*rest++ = '\0';
		rc = take_line(seen, line);
	}
	buf_release(&text);
	free(path);
	free(folder);
}

/* Who only looks at another user's clone leaves nothing in it. */
static bool is_own(const char *folder)
{
	struct stat st;

	return lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

void seen_save(const struct seen *seen, const struct repo *repo)
{
	char *folder = folder_of(repo), *path = folder ? path_join(folder, NAME) : NULL;
	struct err unkept = {0};
	struct buf body, text;
	char sum[SUM_SIZE];

	buf_init(&body, FILE_MAX);
	buf_init(&text, FILE_MAX);
	if (seen->changed && path && is_own(folder)) {
		for (size_t i = 0; i < seen->lines.count; i++)
			buf_addf(&body, "%s\n", seen->lines.items[i]);
		if (!buf_check(&body, NAME, &unkept) &&
		    !sum_text(sum, body.data, body.len, &unkept)) {
			buf_addf(&text, HEADER "%s\n", sum);
			buf_add(&text, body.data, body.len);
			file_sweep(folder, ".", FILE_TEMPORARY_PART);
			if (!buf_check(&text, NAME, &unkept))
				(void)file_replace(path, NULL, text.data, text.len, 0600, &unkept);
		}
	}
	buf_release(&body);
	buf_release(&text);
	free(path);
	free(folder);
}

void seen_release(struct seen *seen)
{
	strs_release(&seen->lines);
	strmap_release(&seen->by_env);
	*seen = (struct seen){.changed = false};
}

static bool compares(const struct store *store)
{
	return store->under_way.active || state_is_middle(store->state);
}

/* What decides what is compared with what: see live_load. */
static char *what_of(const struct session *session)
{
	const struct store *store = &session->store;
	const struct under_way *under_way = &store->under_way;
	const struct environment *env = session->env;

	return str_fmt("%s %s %s %s %s %s %s %s %s", state_name(store->state),
		       under_way->active ? phase_name(under_way->phase) : "-",
		       under_way->active ? direction_name(under_way->direction) : "-",
		       under_way->active ? state_name(under_way->to) : "-",
		       store->old_gen ? store->old_gen : "-", store->new_gen ? store->new_gen : "-",
		       env->certs, env->keys, env->chain);
}

static int add_blob(struct buf *out, struct session *session, const char *path)
{
	struct err missing = {0};
	struct oid oid;
	int rc = path ? repo_path_oid(&oid, session->repo, &session->base, path, &missing)
		      : err_nomem(NULL);

	if (!rc)
		buf_addf(out, "%s%s", out->len ? " " : "", oid.hex);
	return rc;
}

static int add_generation(struct buf *out, struct session *session, const char *id)
{
	char *name = id ? str_fmt("%s.yml", id) : NULL;
	char *path = name ? session_path(session, name) : NULL;
	int rc = id ? add_blob(out, session, path) : 0;

	free(name);
	free(path);
	return rc;
}

/* The ids of all that is read; NULL where something is not in the base. */
static char *blobs_of(struct session *session)
{
	const struct environment *env = session->env;
	struct buf out;
	char *text = NULL;
	int rc;

	buf_init(&out, BUF_TEXT_MAX);
	rc = add_blob(&out, session, env->certs);
	rc = rc ? rc : add_blob(&out, session, env->keys);
	if (compares(&session->store)) {
		rc = rc ? rc : add_blob(&out, session, env->chain);
		rc = rc ? rc : add_generation(&out, session, session->store.old_gen);
		rc = rc ? rc : add_generation(&out, session, session->store.new_gen);
	}
	if (!rc)
		text = buf_detach(&out);
	buf_release(&out);
	return text;
}

/* Takes the line apart in place. */
static bool split(char *line, char *fields[FIELD__MAX])
{
	for (int i = 0; i < FIELD__MAX; i++) {
		fields[i] = line;
		line += strcspn(line, "\t");
		if (i + 1 == FIELD__MAX)
			return !*line && fields[i][0];
		if (!*line)
			return false;
		*line++ = '\0';
	}
	return false;
}

static bool parse_number(int64_t *out, const char *text)
{
	char *end;

	*out = strtoll(text, &end, 10);
	return end != text && !*end;
}

/* Also where other files were committed since: then that commit is the one to know. */
static bool is_the_same(char *fields[FIELD__MAX], bool *moved, struct session *session)
{
	char *what = what_of(session), *blobs;
	bool same = what && !strcmp(what, fields[FIELD_WHAT]);

	free(what);
	*moved = strcmp(fields[FIELD_BASE], session->base.hex) != 0;
	if (!same || !*moved)
		return same;
	blobs = blobs_of(session);
	same = blobs && !strcmp(blobs, fields[FIELD_BLOBS]);
	free(blobs);
	return same;
}

static const char *word(const char *text)
{
	return text ? text : "-";
}

/* NULL where the rest may be asked for: see seen_state. */
static char *brief(const struct session *session)
{
	const struct store *store = &session->store;

	if (store->under_way.active || store->behind.count || session->settle_ref ||
	    store->state == STATE_CLIENTS_SWITCHED || store->phase == PHASE__MAX)
		return NULL;
	return str_fmt("%s %s %s %s %s %s %s %lld", state_name(store->state),
		       phase_name(store->phase), word(store->rotation), word(store->old_gen),
		       word(store->new_gen), word(store->retired_gen), word(store->last_gen),
		       (long long)store->revision);
}

static int set_word(char **field, const char *word)
{
	return store_set(field, strcmp(word, "-") ? word : NULL, NULL);
}

static bool take_brief(struct store *out, const struct session *session, char *text)
{
	char *words[WORDS + 1] = {NULL}, *rest = NULL;
	size_t count = 0;
	int64_t revision;
	enum state state;

	for (char *at = strtok_r(text, " ", &rest); at && count <= WORDS;
	     at = strtok_r(NULL, " ", &rest))
		words[count++] = at;
	state = count == WORDS ? state_parse(words[0]) : STATE__MAX;
	if (state == STATE__MAX || phase_parse(words[1]) == PHASE__MAX ||
	    !parse_number(&revision, words[7]) || store_init(out, session->env->name, state, NULL))
		return false;
	out->phase = phase_parse(words[1]);
	out->revision = revision;
	if (set_word(&out->rotation, words[2]) || set_word(&out->old_gen, words[3]) ||
	    set_word(&out->new_gen, words[4]) || set_word(&out->retired_gen, words[5]) ||
	    set_word(&out->last_gen, words[6])) {
		store_release(out);
		return false;
	}
	return true;
}

bool seen_state(struct store *out, const struct seen *seen, const struct session *session)
{
	char *fields[FIELD__MAX], *line;
	size_t number;
	bool known;

	/* What was begun here is compared with the history. */
	if (session->settle_ref || journal_last_is(&session->journal, "publish", "begin") ||
	    !strmap_get(&seen->by_env, session->env->name, &number))
		return false;
	line = strdup(seen->lines.items[number]);
	known = line && split(line, fields) && !strcmp(fields[FIELD_BASE], session->base.hex) &&
		take_brief(out, session, fields[FIELD_STATE]);
	free(line);
	return known;
}

static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20)
			return false;
	}
	return true;
}

static void keep(struct seen *seen, const struct session *session, const char *what,
		 const char *blobs, int64_t first_expiry, const char *name)
{
	char *state = brief(session), *line = NULL;

	if (name[0] && is_plain(what) && is_plain(name))
		line = str_fmt("%s\t%s\t%s\t%s\t%s\t%lld\t%s", session->env->name, what,
			       word(state), session->base.hex, blobs, (long long)first_expiry,
			       name);
	if (line && !take_line(seen, line))
		seen->changed = true;
	free(line);
	free(state);
}

bool seen_before(int64_t *first_expiry, char **name, struct seen *seen, struct session *session)
{
	char *fields[FIELD__MAX], *line, *copy;
	bool moved = false, same;
	int64_t expiry;
	size_t number;

	if (!strmap_get(&seen->by_env, session->env->name, &number))
		return false;
	line = strdup(seen->lines.items[number]);
	same = line && split(line, fields) && parse_number(&expiry, fields[FIELD_EXPIRY]) &&
	       is_the_same(fields, &moved, session);
	copy = same ? strdup(fields[FIELD_NAME]) : NULL;
	if (copy) {
		*first_expiry = expiry;
		*name = copy;
	}
	if (copy && moved)
		keep(seen, session, fields[FIELD_WHAT], fields[FIELD_BLOBS], expiry, copy);
	free(line);
	return copy != NULL;
}

void seen_note(struct seen *seen, struct session *session, int64_t first_expiry, const char *name)
{
	char *what = what_of(session), *blobs = blobs_of(session);

	if (what && blobs)
		keep(seen, session, what, blobs, first_expiry, name);
	free(what);
	free(blobs);
}
