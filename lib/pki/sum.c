/* SPDX-License-Identifier: PostgreSQL */
#include "pki/sum.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/strs.h"

#define MEMBER "sum"
#define PREFIX "sha256:"

int sum_text(char out[SUM_SIZE], const void *data, size_t len, struct err *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int digest_len = 0;

	if (!EVP_Digest(data, len, digest, &digest_len, EVP_sha256(), NULL))
		return err_set(err, ERR_FAIL, "no SHA-256 from OpenSSL");
	memcpy(out, PREFIX, sizeof(PREFIX));
	hex_text(out + sizeof(PREFIX) - 1, digest, digest_len);
	return 0;
}

/* object has no such member: it is what the sum is over. */
static int sum_of(char out[SUM_SIZE], const struct json *object, struct err *err)
{
	struct buf text;
	int rc;

	buf_init(&text, BUF_TEXT_MAX);
	rc = js_dump_sorted(&text, object, err);
	rc = rc ? rc : sum_text(out, text.data, text.len, err);
	buf_release(&text);
	return rc;
}

int sum_add(struct json *object, struct err *err)
{
	char sum[SUM_SIZE];
	int rc;

	js_del(object, MEMBER);
	rc = sum_of(sum, object, err);
	if (!rc && js_set_str(object, MEMBER, sum))
		rc = err_nomem(err);
	return rc;
}

int sum_check(const struct json *object, const char *name, struct err *err)
{
	const char *given = js_str(object, MEMBER, NULL);
	struct json *rest;
	char sum[SUM_SIZE];
	int rc;

	if (!js_is_object(object) || !given)
		return err_set(err, ERR_FAIL, "%s: it has no '" MEMBER "' of its content", name);
	rest = js_copy_members(object);
	js_del(rest, MEMBER);
	rc = rest ? sum_of(sum, rest, err) : err_nomem(err);
	js_free(rest);
	if (!rc && strcmp(sum, given) != 0)
		rc = err_set(err, ERR_FAIL, "%s: its '" MEMBER "' is not that of its content",
			     name);
	return rc;
}
