/* SPDX-License-Identifier: PostgreSQL */
/*
 * A whole chain as the phase generate makes it, by all processors:
 *
 *   chain REPOSITORY DESCRIPTION DIR
 *
 * Root, intermediates, and a key and a certificate for each server and client of the description,
 * written to DIR/certs.yml and, in the clear, DIR/keys.yml.
 */
#include <sys/stat.h>
#include <stdlib.h>

#include "base/file.h"
#include "bench/drive.h"
#include "state/issue.h"

#define ARENA_MAX ((size_t)1 << 30)
#define TEXT_MAX  ((size_t)1 << 30)

static void say_nothing(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	(void)text;
}

static void write_in(const char *dir, const char *name, const void *data, size_t len)
{
	char *path = must_have(path_join(dir, name));

	drive_write(path, data, len);
	free(path);
}

int main(int argc, char **argv)
{
	const struct log log = {.line = say_nothing};
	struct issue_options options = {.id = "g1", .log = &log};
	struct chain_desc *chain = NULL;
	struct generation generation;
	struct err err = {0};
	struct secret keys;
	struct sys sys;
	struct buf text;

	drive_begin();
	if (argc != 4)
		return 2;
	sys_init(&sys);
	options.sys = &sys;
	options.arena = must_have(arena_new(ARENA_MAX));
	must(chain_load(&chain, argv[1], argv[2], NULL, &err), &err);
	options.chain = chain;
	must(generation_issue(&generation, &options, &err), &err);
	(void)mkdir(argv[3], 0700);
	buf_init(&text, TEXT_MAX);
	must(generation_dump(&text, &generation, &err), &err);
	write_in(argv[3], "certs.yml", text.data, text.len);
	must(generation_dump_keys(&keys, &generation, &err), &err);
	write_in(argv[3], "keys.yml", keys.data, keys.len);
	buf_release(&text);
	generation_release(&generation);
	chain_free(chain);
	arena_free(options.arena);
	return 0;
}
