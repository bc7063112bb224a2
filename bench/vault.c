/* SPDX-License-Identifier: PostgreSQL */
/*
 * A vault's text, in and out, as ansible-vault's "view" and "encrypt --output" do it:
 *
 *   vault read PASSWORD VAULT           the clear text to standard output
 *   vault write PASSWORD CLEAR VAULT    a new vault, format 1.1
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sys.h"
#include "bench/drive.h"
#include "vault/vault.h"

#define ARENA_MAX ((size_t)2 << 30)

static void find_password(struct vault_passwords *out, struct arena *arena, const char *path)
{
	struct err err = {0};
	struct secret text;

	drive_read_secret(&text, arena, path);
	text.len = strcspn(text.data, "\r\n");
	must(vault_passwords_add(out, arena, text.data, text.len, NULL, path, &err), &err);
}

static void do_read(struct arena *arena, const struct vault_passwords *passwords, const char *path)
{
	struct secret clear = {0};
	struct err err = {0};
	size_t len;
	const char *text = drive_map(path, &len);

	must(vault_decrypt(&clear, NULL, arena, text, len, path, passwords, &err), &err);
	must(file_write_all(STDOUT_FILENO, clear.data, clear.len, "standard output", &err), &err);
}

static int put(void *ctx, const char *text, size_t len, struct err *err)
{
	const int *fd = ctx;

	return file_write_all(*fd, text, len, "the vault", err);
}

static void do_write(const struct vault_passwords *passwords, const char *path, const char *to)
{
	struct secret clear = {0};
	const char *text = drive_map(path, &clear.len);
	struct err err = {0};
	struct sys sys;
	int fd = drive_create(to);

	sys_init(&sys);
	clear.data = (char *)text;
	must(vault_encrypt_to(put, &fd, &clear, vault_passwords_for_new(passwords), NULL, &sys,
			      &err),
	     &err);
	(void)close(fd);
}

int main(int argc, char **argv)
{
	struct vault_passwords passwords = VAULT_PASSWORDS_INIT;
	struct arena *arena;

	drive_begin();
	if (argc < 4)
		return 2;
	arena = must_have(arena_new(ARENA_MAX));
	find_password(&passwords, arena, argv[2]);
	if (argc == 4 && !strcmp(argv[1], "read"))
		do_read(arena, &passwords, argv[3]);
	else if (argc == 5 && !strcmp(argv[1], "write"))
		do_write(&passwords, argv[3], argv[4]);
	else
		return 2;
	vault_passwords_release(&passwords);
	arena_free(arena);
	return 0;
}
