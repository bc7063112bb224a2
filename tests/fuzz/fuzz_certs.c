/* SPDX-License-Identifier: PostgreSQL */
/* Edits of any text: never a crash, and a result that is returned holds what was asked for. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/certs.h"

#define NEW "-----BEGIN-----\nAa+/=\n-----END-----\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Edits, and looks whether every change is in the result, which is opened for the caller. */
static struct certs *edit(struct buf *out, const struct certs *certs,
			  const struct certs_change *changes, size_t count)
{
	struct certs *after = NULL;
	struct err err = {0};

	if (certs_edit(out, certs, changes, count, &err)) {
		if (out->len || !err.msg[0])
			abort();
		return NULL;
	}
	if (certs_open(&after, out->data, out->len, "after", NULL, &err))
		abort();
	for (size_t i = 0; i < count; i++) {
		const struct certs_change *change = &changes[i];
		const struct certs_entry *entry = certs_find(after, change->kind, change->authority,
							     change->name);

		if ((change->verb == CERTS_REMOVE) != !entry)
			abort();
		if (entry && (entry->vault != change->vault ||
			      !certs_same(entry->value, entry->len, change->text, change->len)))
			abort();
	}
	return after;
}

/* Sets everything that can be set, and puts it back. */
static void set_and_restore(const struct certs *certs, struct certs_change *changes, size_t count)
{
	struct buf out, back;
	struct certs *after;

	buf_init(&out, BUF_TEXT_MAX);
	buf_init(&back, BUF_TEXT_MAX);
	after = edit(&out, certs, changes, count);
	for (size_t i = 0; after && i < count; i++) {
		const struct certs_entry *entry = certs_find(certs, changes[i].kind,
							     changes[i].authority, changes[i].name);

		changes[i].verb = CERTS_RESTORE;
		changes[i].text = entry->value;
		changes[i].len = entry->len;
		changes[i].raw = entry->raw;
		changes[i].raw_len = entry->raw_len;
	}
	if (after)
		certs_close(edit(&back, after, changes, count));
	certs_close(after);
	buf_release(&out);
	buf_release(&back);
}

static void remove_and_insert(const struct certs *certs, struct certs_change *changes, size_t count)
{
	struct buf out;

	buf_init(&out, BUF_TEXT_MAX);
	for (size_t i = 0; i < count; i++)
		changes[i].verb = CERTS_REMOVE;
	changes[count] = (struct certs_change){.verb = CERTS_INSERT,
					       .kind = CERTS_LEAF,
					       .authority = "server",
					       .name = "new 1",
					       .text = NEW,
					       .len = sizeof(NEW) - 1};
	changes[count + 1] = changes[count];
	changes[count + 1].kind = CERTS_KEY;
	changes[count + 1].vault = true;
	certs_close(edit(&out, certs, changes, count + 2));
	buf_release(&out);
}

static void run(const struct certs *certs)
{
	size_t count = certs_count(certs), used = 0;
	struct certs_change *changes = calloc(count + 2, sizeof(*changes));

	for (size_t i = 0; changes && i < count; i++) {
		const struct certs_entry *entry = certs_at(certs, i);

		if (certs_editable(certs, entry, NULL))
			continue;
		changes[used++] = (struct certs_change){.verb = CERTS_SET,
							.kind = entry->kind,
							.authority = entry->authority,
							.name = entry->name,
							.text = NEW,
							.len = sizeof(NEW) - 1,
							.vault = entry->vault};
	}
	if (changes) {
		set_and_restore(certs, changes, used);
		remove_and_insert(certs, changes, used / 2);
	}
	free(changes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct certs *certs = NULL;
	struct err err = {0};

	if (!text)
		return 0;
	memcpy(text, data, size);
	if (certs_open(&certs, text, size, "f.yml", NULL, &err) == 0)
		run(certs);
	else if (err.code != ERR_FAIL || certs)
		abort();
	certs_close(certs);
	free(text);
	return 0;
}
