/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the phase trust does to certs.yml, with one leaf replaced besides:
 *
 *   edit CERTS NEW AUTHORITY NAME LEAF OUT
 *
 * Reads CERTS, puts the CA certificates of NEW before those of both authorities ("server" and
 * "client"), sets certs.AUTHORITY.NAME to the text in LEAF, and replaces OUT durably.
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "bench/drive.h"
#include "inventory/certs.h"
#include "pki/bundle.h"

static const char *const authorities[] = {"server", "client"};
#define COUNT (sizeof(authorities) / sizeof(authorities[0]))

static void merge(struct buf *out, const struct certs *certs, const char *authority,
		  const struct buf *newer)
{
	const struct certs_entry *entry = certs_find(certs, CERTS_CHAIN, authority, NULL);
	struct bundle old = BUNDLE_INIT, new = BUNDLE_INIT, both = BUNDLE_INIT;
	struct err err = {0};

	if (!entry) {
		must(err_set(&err, ERR_NOENT, "no chain of %s", authority), &err);
		return;
	}
	must(bundle_from_pem(&old, entry->value, entry->len, authority, &err), &err);
	must(bundle_from_pem(&new, newer->data, newer->len, "the new chain", &err), &err);
	must(bundle_merge(&both, &new, &old, &err), &err);
	buf_init(out, BUF_TEXT_MAX);
	must(bundle_to_pem(out, &both, &err), &err);
	bundle_release(&old);
	bundle_release(&new);
	bundle_release(&both);
}

int main(int argc, char **argv)
{
	struct certs_change changes[COUNT + 1];
	struct buf newer, leaf, out, merged[COUNT];
	struct certs *certs = NULL;
	struct err err = {0};
	const char *text;
	size_t len;

	drive_begin();
	if (argc != 7)
		return 2;
	text = drive_map(argv[1], &len);
	drive_read(&newer, argv[2]);
	drive_read(&leaf, argv[5]);
	buf_init(&out, YAML_TEXT_MAX);
	must(certs_open(&certs, text, len, argv[1], NULL, &err), &err);
	for (size_t i = 0; i < COUNT; i++) {
		merge(&merged[i], certs, authorities[i], &newer);
		changes[i] = (struct certs_change){.verb = CERTS_SET,
						   .kind = CERTS_CHAIN,
						   .authority = authorities[i],
						   .text = merged[i].data,
						   .len = merged[i].len};
	}
	changes[COUNT] = (struct certs_change){.verb = CERTS_SET,
					       .kind = CERTS_LEAF,
					       .authority = argv[3],
					       .name = argv[4],
					       .text = leaf.data,
					       .len = leaf.len};
	must(certs_edit(&out, certs, changes, COUNT + 1, &err), &err);
	must(file_replace(argv[6], NULL, out.data, out.len, 0644, &err), &err);
	for (size_t i = 0; i < COUNT; i++)
		buf_release(&merged[i]);
	certs_close(certs);
	buf_release(&newer);
	buf_release(&leaf);
	buf_release(&out);
	return 0;
}
