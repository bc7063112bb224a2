/* SPDX-License-Identifier: PostgreSQL */
#include "outside/delivery.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/strs.h"
#include "base/sys.h"
#include "outside/delivery_internal.h"
#include "pki/sum.h"

#define FILE_MAX ((size_t)16 << 20)

/* pgjdbc looks for the entry of that name in a PKCS#12 file (PKCS12KeyManager.java). */
#define KEYSTORE_ALIAS "user"

static const char *const kind_names[DELIVERY_KIND__MAX] = {
	[DELIVERY_README] = "readme",
	[DELIVERY_LIST] = "list",
	[DELIVERY_BUNDLE] = "bundle",
	[DELIVERY_CA] = "ca",
	[DELIVERY_TRUSTSTORE] = "truststore",
	[DELIVERY_CERTIFICATE] = "certificate",
	[DELIVERY_KEY] = "key",
	[DELIVERY_KEY_DER] = "key-der",
	[DELIVERY_KEYSTORE] = "keystore",
};

const char *delivery_kind_name(enum delivery_kind kind)
{
	return kind_names[kind];
}

bool delivery_has_keys(enum delivery_purpose purpose)
{
	return purpose == DELIVERY_CLIENTS || purpose == DELIVERY_CLIENTS_BACK ||
	       purpose == DELIVERY_EMERGENCY || purpose == DELIVERY_PRESENT;
}

void delivery_files_release(struct delivery_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->items[i].path);
		free(files->items[i].user);
		buf_release(&files->items[i].data);
	}
	free(files->items);
	free(files->folder);
	*files = (struct delivery_files){.items = NULL};
}

const struct delivery_file *delivery_find(const struct delivery_files *files,
					  enum delivery_kind kind, const char *user)
{
	for (size_t i = 0; i < files->count; i++) {
		const struct delivery_file *file = &files->items[i];

		if (file->kind == kind && (!user || (file->user && !strcmp(file->user, user))))
			return file;
	}
	return NULL;
}

/* Adds an empty file and lends it; takes over path. */
static int add_file(struct delivery_file **out, struct delivery_files *files,
		    enum delivery_kind kind, const char *user, char *path, struct err *err)
{
	struct delivery_file *file;

	if (path && files->count == files->cap) {
		size_t cap = files->cap ? files->cap * 2 : 16;
		struct delivery_file *items = reallocarray(files->items, cap, sizeof(*items));

		if (!items) {
			free(path);
			return err_nomem(err);
		}
		files->items = items;
		files->cap = cap;
	}
	if (!path)
		return err_nomem(err);
	file = &files->items[files->count++];
	*file = (struct delivery_file){.kind = kind, .path = path};
	buf_init(&file->data, FILE_MAX);
	*out = file;
	if (user && !(file->user = strdup(user)))
		return err_nomem(err);
	return 0;
}

/*
 * A folder's name: what a shell, another system or our own file names could take for something else
 * is escaped.
 */
char *delivery_folder_name(const char *user)
{
	static const char *const ours[] = {".txt", ".json", ".crt", ".p12"};
	bool dots = user[0] == '.';
	struct buf name;
	char *text;

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		dots = dots || str_ends(user, ours[i]);
	buf_init(&name, BUF_TEXT_MAX);
	for (const char *c = user; *c; c++) {
		bool plain = isalnum((unsigned char)*c) || *c == '_' || *c == '@' ||
			     (*c == '-' && c > user) || (*c == '.' && !dots);

		if (plain)
			buf_addc(&name, *c);
		else
			buf_addf(&name, "%%%02X", (unsigned)(unsigned char)*c);
	}
	text = buf_detach(&name);
	buf_release(&name);
	return text;
}

static int add_bundle(struct delivery_files *files, const struct bundle *bundle, struct err *err)
{
	struct delivery_file *file;
	int rc = add_file(&file, files, DELIVERY_BUNDLE, NULL, strdup("root.crt"), err);

	rc = rc ? rc : bundle_to_pem(&file->data, bundle, err);
	for (size_t i = 0; i < bundle->count && !rc; i++) {
		rc = add_file(&file, files, DELIVERY_CA, NULL, str_fmt("ca-%zu.crt", i + 1), err);
		rc = rc ? rc : cert_to_pem(&file->data, bundle->items[i], err);
	}
	rc = rc ? rc
		: add_file(&file, files, DELIVERY_TRUSTSTORE, NULL, strdup("truststore.p12"), err);
	return rc ? rc
		  : pkcs12_truststore(&file->data, bundle, "ca-", DELIVERY_STORE_PASSWORD, err);
}

static int add_keys(struct delivery_files *files, const struct delivery_subject *subject,
		    const struct secret *passphrase, struct err *err)
{
	const struct delivery_user *user = subject->user;
	struct delivery_file *file;
	struct key *key = NULL;
	int rc = key_from_pem(&key, user->key, "the key", err);

	rc = rc ? rc
		: add_file(&file, files, DELIVERY_KEYSTORE, user->name,
			   str_fmt("%s/client.p12", subject->folder), err);
	/* First, because it is the one that notices a key of another certificate. */
	rc = rc ? rc
		: pkcs12_keystore(&file->data, key, &subject->certs, KEYSTORE_ALIAS, passphrase,
				  err);
	rc = rc ? rc
		: add_file(&file, files, DELIVERY_KEY, user->name,
			   str_fmt("%s/client.key", subject->folder), err);
	rc = rc ? rc : key_to_pkcs8_pem(&file->data, key, passphrase, err);
	rc = rc ? rc
		: add_file(&file, files, DELIVERY_KEY_DER, user->name,
			   str_fmt("%s/client.pk8", subject->folder), err);
	rc = rc ? rc : key_to_pkcs8_der(&file->data, key, passphrase, err);
	key_free(key);
	return rc;
}

static int add_user(struct delivery_files *files, struct delivery_subject *subject,
		    const struct delivery_input *in, struct err *err)
{
	const struct delivery_user *user = subject->user;
	struct delivery_file *file;
	int rc;

	subject->folder = delivery_folder_name(user->name);
	if (!subject->folder)
		return err_nomem(err);
	rc = bundle_from_pem(&subject->certs, user->pem, user->len, "the certificate", err);
	rc = rc ? rc
		: add_file(&file, files, DELIVERY_CERTIFICATE, user->name,
			   str_fmt("%s/client.crt", subject->folder), err);
	rc = rc ? rc : bundle_to_pem(&file->data, &subject->certs, err);
	if (!rc && user->key)
		rc = add_keys(files, subject, in->passphrase, err);
	if (rc)
		err_prefix(err, "user %s", user->name);
	return rc;
}

static struct json *certificate_json(const struct delivery_subject *subject)
{
	const struct cert *leaf = subject->certs.items[0];
	struct json *object = js_new_object();
	char until[SYS_TIME_SIZE];

	sys_time_text(cert_not_after(leaf), until);
	(void)js_set_str(object, "user", subject->user->name);
	(void)js_set_str(object, "subject", cert_subject(leaf));
	(void)js_set_str(object, "serial", cert_serial_decimal(leaf));
	(void)js_set_str(object, "fingerprint", cert_fingerprint(leaf));
	(void)js_set_str(object, "until", until);
	return object;
}

static int file_json(struct json *list, const struct delivery_file *file, struct err *err)
{
	struct json *object = js_new_object();
	char sum[SUM_SIZE];
	int rc = sum_text(sum, file->data.data, file->data.len, err);

	(void)js_set_str(object, "kind", delivery_kind_name(file->kind));
	(void)js_set_str(object, "path", file->path);
	(void)js_set_str(object, "user", file->user);
	(void)js_set_str(object, "sum", sum);
	(void)js_push(list, object);
	return rc;
}

static int add_list(struct delivery_files *files, const struct delivery_input *in,
		    const struct delivery_subject *subjects, struct err *err)
{
	struct json *root = js_new_object(), *list = js_new_array(), *certs = js_new_array();
	struct delivery_file *file;
	char made[SYS_TIME_SIZE];
	int rc = 0;

	sys_time_text(in->made, made);
	(void)js_set_int(root, "version", 1);
	(void)js_set_str(root, "environment", in->environment);
	(void)js_set_str(root, "application", in->application);
	(void)js_set_str(root, "phase", in->phase);
	(void)js_set_str(root, "made", made);
	for (size_t i = 0; i < files->count && !rc; i++)
		rc = file_json(list, &files->items[i], err);
	for (size_t i = 0; subjects && i < in->user_count; i++)
		(void)js_push(certs, certificate_json(&subjects[i]));
	(void)js_set(root, "files", list);
	(void)js_set(root, "certificates", certs);
	rc = rc ? rc : add_file(&file, files, DELIVERY_LIST, NULL, strdup(DELIVERY_LIST_NAME), err);
	rc = rc ? rc : js_dump(&file->data, root, true, err);
	js_free(root);
	return rc;
}

static int make_all(struct delivery_files *out, const struct delivery_input *in,
		    struct delivery_subject *subjects, struct err *err)
{
	struct delivery_file *readme;
	struct buf text;
	int rc = add_bundle(out, in->bundle, err);

	for (size_t i = 0; subjects && i < in->user_count && !rc; i++) {
		subjects[i].user = &in->users[i];
		rc = add_user(out, &subjects[i], in, err);
	}
	buf_init(&text, FILE_MAX);
	rc = rc ? rc : delivery_readme(&text, in, subjects, err);
	rc = rc ? rc : add_file(&readme, out, DELIVERY_README, NULL, strdup("README.txt"), err);
	if (!rc)
		buf_add(&readme->data, text.data, text.len);
	buf_release(&text);
	rc = rc ? rc : add_list(out, in, subjects, err);
	for (size_t i = 0; i < out->count && !rc; i++)
		rc = buf_check(&out->items[i].data, out->items[i].path, err);
	return rc;
}

int delivery_make(struct delivery_files *out, const struct delivery_input *in, struct err *err)
{
	bool keys = delivery_has_keys(in->purpose);
	struct delivery_subject *subjects = NULL;
	int rc = 0;

	*out = (struct delivery_files){.items = NULL};
	if (keys && !(subjects = calloc(in->user_count + 1, sizeof(*subjects))))
		return err_nomem(err);
	rc = make_all(out, in, subjects, err);
	for (size_t i = 0; subjects && i < in->user_count; i++) {
		free(subjects[i].folder);
		bundle_release(&subjects[i].certs);
	}
	free(subjects);
	if (rc)
		delivery_files_release(out);
	return rc;
}
