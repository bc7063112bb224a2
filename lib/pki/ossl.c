/* SPDX-License-Identifier: PostgreSQL */
#include "pki/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

const char *ossl_reason(const char *fallback)
{
	/* The first error is the cause; those after it are what the callers made of it. */
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return reason ? reason : fallback;
}

int ossl_err(struct err *err, const char *fmt, ...)
{
	const char *reason = ossl_reason("OpenSSL gives no reason");
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (err_starved())
		return err_nomem_for(err, text);
	return err_set(err, ERR_FAIL, "%s: %s", text, reason);
}

static void *wiping_malloc(size_t size, const char *file, int line)
{
	void *data = malloc(size);

	(void)file;
	(void)line;
	/* OpenSSL's own word for it comes as a refusal, an invalid signature or none at all. */
	if (!data)
		(void)err_nomem(NULL);
	return data;
}

static void wiping_free(void *data, const char *file, int line)
{
	(void)file;
	(void)line;
	if (data)
		explicit_bzero(data, malloc_usable_size(data));
	free(data);
}

/* realloc(3) would leave the old bytes behind where it moves the block. */
static void *wiping_realloc(void *data, size_t size, const char *file, int line)
{
	size_t had = data ? malloc_usable_size(data) : 0;
	void *bigger;

	if (size == 0) {
		wiping_free(data, file, line);
		return NULL;
	}
	if (size <= had)
		return data;
	bigger = malloc(size);
	if (!bigger)
		(void)err_nomem(NULL);
	if (bigger && data) {
		memcpy(bigger, data, had);
		wiping_free(data, file, line);
	}
	return bigger;
}

int key_harden_process(struct err *err)
{
	if (!CRYPTO_set_mem_functions(wiping_malloc, wiping_realloc, wiping_free))
		return err_set(err, ERR_FAIL,
			       "cannot make OpenSSL wipe its memory: it is in use already");
	return 0;
}
