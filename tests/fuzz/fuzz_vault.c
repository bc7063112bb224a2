/* SPDX-License-Identifier: PostgreSQL */
/*
 * libFuzzer over what lib/vault reads: the text of a vault, an ansible.cfg, a path in it. The first
 * byte chooses. A vault that is taken apart and written again is the same vault.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vault/ansible_cfg.h"
#include "vault/envelope.h"

#define ARENA_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

static int keep_piece(void *ctx, const char *text, size_t len, struct err *err)
{
	(void)err;
	must(len <= ENVELOPE_PIECE);
	buf_add(ctx, text, len);
	return 0;
}

static void check_again(struct arena *arena, const struct envelope *first)
{
	static struct envelope_writer writer;
	struct envelope again;
	struct err err = {0};
	struct buf text;

	buf_init(&text, BUF_TEXT_MAX);
	must(!envelope_begin(&writer, keep_piece, &text, first->label, first->salt, first->hmac,
			     &err));
	must(!envelope_add(&writer, first->body, first->body_len, &err));
	must(!envelope_end(&writer, &err));
	must(text.len <= envelope_size(first->body_len));
	must(vault_is(text.data, text.len));
	must(envelope_parse(&again, arena, text.data, text.len, "again", &err) == 0);
	must(again.body_len == first->body_len && again.salt_len == first->salt_len);
	must(!memcmp(again.body, first->body, first->body_len));
	must(!memcmp(again.hmac, first->hmac, sizeof(first->hmac)));
	must(!memcmp(again.salt, first->salt, first->salt_len));
	must(!strcmp(again.label, first->label));
	buf_release(&text);
}

static void fuzz_envelope(const char *text, size_t len)
{
	struct arena *arena = arena_new(ARENA_MAX);
	struct envelope envelope;
	struct err err = {0};
	int rc;

	must(arena != NULL);
	rc = envelope_parse(&envelope, arena, text, len, "x", &err);
	if (rc)
		must(rc == ERR_FAIL && !strncmp(err.msg, "x: ", 3));
	else
		must(envelope.body_len >= 16 && envelope.body_len % 16 == 0);
	if (!rc && envelope.salt_len == ENVELOPE_SALT_SIZE)
		check_again(arena, &envelope);
	arena_free(arena);
}

static void fuzz_cfg(const char *text, size_t len)
{
	static char dir[] = "/tmp/fuzz-vault-XXXXXX";
	static char path[64];
	struct ansible_cfg cfg;
	struct err err = {0};
	FILE *file;

	if (!path[0]) {
		must(mkdtemp(dir) != NULL);
		(void)snprintf(path, sizeof(path), "%s/ansible.cfg", dir);
	}
	file = fopen(path, "w");
	must(file && fwrite(text, 1, len, file) == len && fclose(file) == 0);
	if (!ansible_cfg_load(&cfg, dir, &err)) {
		must(cfg.path != NULL);
		ansible_cfg_release(&cfg);
	} else {
		must(err.code == ERR_USAGE && err.msg[0]);
	}
	(void)unlink(path);
}

static void fuzz_path(const char *text, size_t len)
{
	char *value = strndup(text, len);
	char *path = value ? ansible_path(value, "/repo/sub", "/repo") : NULL;

	must(!path || (path[0] == '/' && !strstr(path, "/../") && !strstr(path, "//")));
	free(path);
	free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	if (!size)
		return 0;
	switch (data[0] % 3) {
	case 0:
		fuzz_envelope(text, size - 1);
		break;
	case 1:
		fuzz_cfg(text, size - 1);
		break;
	default:
		fuzz_path(text, size - 1);
	}
	return 0;
}
