/* SPDX-License-Identifier: PostgreSQL */
/* Keys on all processors, with their texts: keys COUNT ALGORITHM */
#include <stdio.h>
#include <stdlib.h>

#include "bench/drive.h"
#include "pki/key.h"

#define TEXT_MAX ((size_t)8192)

int main(int argc, char **argv)
{
	struct err err = {0};
	struct arena *arena;
	enum key_alg *algs;
	struct key **keys;
	size_t count;

	drive_begin();
	if (argc != 3)
		return 2;
	count = number(argv[1]);
	arena = must_have(arena_new(count * TEXT_MAX + TEXT_MAX));
	algs = must_have(calloc(count, sizeof(*algs)));
	keys = must_have(calloc(count, sizeof(struct key *)));
	must(key_alg_parse(&algs[0], argv[2], &err), &err);
	for (size_t i = 1; i < count; i++)
		algs[i] = algs[0];
	must(keys_generate(keys, algs, count, 0, NULL, NULL, &err), &err);
	for (size_t i = 0; i < count; i++) {
		struct secret text = {0};

		must(key_to_pem(&text, arena, keys[i], &err), &err);
		key_free(keys[i]);
	}
	free(algs);
	free(keys);
	arena_free(arena);
	return 0;
}
