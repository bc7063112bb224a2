/* SPDX-License-Identifier: PostgreSQL */
/* Editing the inventory to be a target: see holdings.h. */
#include <stdlib.h>
#include <string.h>

#include "state/holdings.h"
#include "state/holdings_match.h"

struct changes {
	struct certs_change *items;
	size_t count;
	struct strs vaults; /* texts of inline vaults that were made for them */
};

static int add_change(struct changes *changes, struct certs_change change, struct err *err)
{
	struct certs_change *items = changes->items;

	if (!(changes->count & (changes->count - 1))) {
		items = realloc(items, (changes->count ? changes->count * 2 : 1) * sizeof(*items));
		if (!items)
			return err_nomem(err);
		changes->items = items;
	}
	items[changes->count++] = change;
	return 0;
}

static void changes_release(struct changes *changes)
{
	free(changes->items);
	strs_release(&changes->vaults);
}

/* The text of an inline vault: the one that stood there once, or a new one. */
static int inline_vault(struct certs_change *change, struct changes *changes,
			const struct holdings *holdings, const struct target_value *value,
			struct err *err)
{
	struct session *session = holdings->session;
	struct secret plain = {(char *)(uintptr_t)value->text, value->len};
	struct buf text;
	int rc = session_passwords(session, err);

	change->vault = true;
	change->verb = change->verb == CERTS_RESTORE ? CERTS_SET : change->verb;
	if (value->raw && vault_is(value->raw, value->raw_len)) {
		change->text = value->raw;
		change->len = value->raw_len;
		return rc;
	}
	buf_init(&text, SESSION_FILE_MAX);
	rc = rc ? rc
		: vault_encrypt(&text, &plain, vault_passwords_for_new(&session->passwords), NULL,
				session->sys, err);
	rc = rc ? rc : strs_add(&changes->vaults, text.data, err);
	if (!rc) {
		change->text = changes->vaults.items[changes->vaults.count - 1];
		change->len = strlen(change->text);
	}
	buf_release(&text);
	return rc;
}

static int change_value(struct changes *changes, const struct holdings *holdings,
			enum certs_verb verb, enum certs_kind kind, const char *authority,
			const char *name, const struct target_value *value, bool vault,
			struct err *err)
{
	struct certs_change change = {.verb = verb,
				      .kind = kind,
				      .authority = authority,
				      .name = name,
				      .text = value->text,
				      .len = value->len};
	int rc = 0;

	if (vault) {
		rc = inline_vault(&change, changes, holdings, value, err);
	} else if (value->raw && !vault_is(value->raw, value->raw_len)) {
		change.raw = value->raw;
		change.raw_len = value->raw_len;
	}
	return rc ? rc : add_change(changes, change, err);
}

static int change_entries(struct changes *changes, const struct holdings *holdings,
			  const struct certs *doc, const struct target *target, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; doc && i < certs_count(doc) && !rc; i++) {
		const struct certs_entry *entry = certs_at(doc, i);
		struct target_value value = holdings_target(target, entry);
		bool same = false;

		if (holdings_is_foreign(target, entry))
			continue;
		if (!value.present) {
			rc = add_change(changes,
					(struct certs_change){.verb = CERTS_REMOVE,
							      .kind = entry->kind,
							      .authority = entry->authority,
							      .name = entry->name},
					err);
			continue;
		}
		rc = holdings_matches(&same, holdings, entry, &value, err);
		if (!rc && !same)
			rc = change_value(changes, holdings, value.raw ? CERTS_RESTORE : CERTS_SET,
					  entry->kind, entry->authority, entry->name, &value,
					  entry->vault, err);
	}
	return rc;
}

struct inserting {
	struct changes *certs;
	struct changes *keys;
	const struct holdings *holdings;
};

static int insert_missing(void *ctx, enum certs_kind kind, const char *authority, const char *name,
			  const struct target_value *value, struct err *err)
{
	struct inserting *inserting = ctx;
	const struct holding *keys = holdings_keys(inserting->holdings);

	return change_value(kind == CERTS_KEY ? inserting->keys : inserting->certs,
			    inserting->holdings, CERTS_INSERT, kind, authority, name, value,
			    kind == CERTS_KEY && !keys->vault, err);
}

struct holding_file *holding_files_add(struct holding_files *files, const char *path)
{
	struct holding_file *items = realloc(files->items,
					     (files->count + 1) * sizeof(*files->items));
	struct holding_file *file;

	if (!items)
		return NULL;
	files->items = items;
	file = &items[files->count];
	*file = (struct holding_file){.path = strdup(path)};
	if (!file->path)
		return NULL;
	buf_init(&file->data, SESSION_FILE_MAX);
	files->count++;
	return file;
}

void holding_files_release(struct holding_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->items[i].path);
		buf_release(&files->items[i].data);
	}
	free(files->items);
	*files = (struct holding_files){0};
}

static int write_vault(struct holding_file *file, const struct holding *holding,
		       const struct changes *changes, struct session *session, struct err *err)
{
	const struct vault_password *password = &session->passwords.items[holding->used.password];
	struct secret_buf clear;
	struct secret text = {0};
	int rc;

	file->vault = true;
	secret_buf_init(&clear, session->arena);
	rc = certs_edit_secret(&clear, holding->certs, changes->items, changes->count, err);
	rc = rc ? rc : secret_buf_done(&text, &clear, holding->path, err);
	rc = rc ? rc
		: vault_encrypt(&file->data, &text, password, holding->used.label, session->sys,
				err);
	secret_wipe(&text);
	return rc;
}

static int write_holding(struct holding_files *out, const struct holding *holding,
			 const struct changes *changes, struct session *session, struct err *err)
{
	struct holding_file *file;

	if (!changes->count)
		return 0;
	file = holding_files_add(out, holding->path);
	if (!file)
		return err_nomem(err);
	if (holding->vault)
		return write_vault(file, holding, changes, session, err);
	return certs_edit(&file->data, holding->certs, changes->items, changes->count, err);
}

int holdings_edit(struct holding_files *out, const struct holdings *holdings,
		  const struct target *target, struct err *err)
{
	struct changes certs = {0}, keys = {0};
	struct changes *key_changes = holdings->one_file ? &certs : &keys;
	struct inserting inserting = {&certs, key_changes, holdings};
	int rc = change_entries(&certs, holdings, holdings->certs.certs, target, err);

	if (!holdings->one_file)
		rc = rc ? rc : change_entries(&keys, holdings, holdings->keys.certs, target, err);
	rc = rc ? rc : holdings_each_missing(holdings, target, insert_missing, &inserting, err);
	rc = rc ? rc : write_holding(out, &holdings->certs, &certs, holdings->session, err);
	if (!holdings->one_file)
		rc = rc ? rc : write_holding(out, &holdings->keys, &keys, holdings->session, err);
	changes_release(&certs);
	changes_release(&keys);
	return rc;
}
