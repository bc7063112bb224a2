/* SPDX-License-Identifier: PostgreSQL */
/*
 * The state, a generation and the journal, as git and the disk give them back. The first byte
 * chooses. What is read can be written and reads back as it was; a text that has another sum than
 * its content's is never read; and no damage makes the journal say that something had ended which
 * had not.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "pki/sum.h"
#include "state/generation.h"
#include "state/journal.h"
#include "state/store.h"

#define ARENA_MAX ((size_t)1 << 20)
#define MARKS_MAX 24
#define KEYS	  4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

/* ---- state.json */

static void check_store(const char *text, size_t len)
{
	struct store store, again;
	struct buf first, second;
	struct err err = {0};

	if (store_parse(&store, text, len, "dev:state.json", "poc", &err)) {
		must(!strncmp(err.msg, "dev:state.json:", 15) && err.hint[0]);
		must(!store.environment && !store.history);
		return;
	}
	buf_init(&first, BUF_TEXT_MAX);
	buf_init(&second, BUF_TEXT_MAX);
	must(!store_dump(&first, &store, &err));
	must(!store_parse(&again, first.data, first.len, "again", "poc", &err));
	must(!store_dump(&second, &again, &err));
	must(!strcmp(first.data, second.data));
	must(!store_shorten_history(&again, 1, &err));
	(void)store_when(&again, PHASE_TRUST, DIRECTION_FORWARD);
	(void)store_ack(&again, "billing", PHASE_TRUST);
	(void)store_last(&again, "completed");
	must(!store_add_ack(&again, "billing", PHASE_TRUST, DIRECTION_FORWARD, "Ann", "DBA",
			    1795000000, &err));
	must(!store_take_acks(&again, PHASE__MAX, NULL, &err));
	store_release(&again);
	store_release(&store);
	buf_release(&first);
	buf_release(&second);
}

/* As it is; and with the sum that belongs to it, so that what follows the sum is reached. */
static void fuzz_store(const char *text, size_t len)
{
	struct json *root = NULL;
	struct err err = {0};
	struct buf summed;

	check_store(text, len);
	if (js_parse(&root, text, len, "x", NULL))
		return;
	buf_init(&summed, BUF_TEXT_MAX);
	if (js_is_object(root) && !sum_add(root, &err) && !js_dump(&summed, root, false, &err))
		check_store(summed.data, summed.len);
	buf_release(&summed);
	js_free(root);
}

/* ---- gN.yml */

static void check_generation(struct arena *arena, const char *text, size_t len)
{
	struct generation gen, again;
	struct buf first, second;
	struct err err = {0};

	if (generation_load(&gen, "g1", arena, text, len, "g1.yml", NULL, NULL, &err)) {
		must(err.code == ERR_FAIL && strstr(err.msg, "g1.yml"));
		return;
	}
	buf_init(&first, BUF_TEXT_MAX);
	buf_init(&second, BUF_TEXT_MAX);
	must(!generation_dump(&first, &gen, &err));
	must(!generation_load(&again, "g1", arena, first.data, first.len, "g1.yml", NULL, NULL,
			      &err));
	must(!generation_dump(&second, &again, &err));
	must(!strcmp(first.data, second.data));
	must(gen.leaf_count == again.leaf_count && gen.authority_count == again.authority_count);
	generation_release(&again);
	generation_release(&gen);
	buf_release(&first);
	buf_release(&second);
}

static void fuzz_generation(const char *text, size_t len)
{
	struct arena *arena = arena_new(ARENA_MAX);
	const char *line = len ? memmem(text, len, "\nsum: ", 6) : NULL;
	size_t body = line ? (size_t)(line - text) + 1 : len;
	char sum[SUM_SIZE];
	struct err err = {0};
	struct buf summed;

	must(arena != NULL);
	check_generation(arena, text, len);
	buf_init(&summed, BUF_TEXT_MAX);
	buf_add(&summed, text, body);
	must(!sum_text(sum, text, body, &err));
	buf_addf(&summed, "sum: \"%s\"\n", sum);
	check_generation(arena, summed.data, summed.len);
	buf_release(&summed);
	arena_free(arena);
}

/* ---- the journal */

static char journal_path[64];
static struct sys journal_sys;

static const char *const keys[KEYS] = {"r/trust/forward/t/rollout/0", "r/trust/forward/t/rollout/1",
				       "r/trust/forward/t/rollout/0/!db3", "x"};

static void remove_folder(void)
{
	char *slash = strrchr(journal_path, '/');

	(void)unlink(journal_path);
	*slash = '\0';
	(void)rmdir(journal_path);
}

static void write_file(const char *text, size_t len)
{
	int fd;

	if (!journal_path[0]) {
		char folder[] = "/dev/shm/fuzz-state-XXXXXX";

		must(mkdtemp(folder) != NULL);
		(void)snprintf(journal_path, sizeof(journal_path), "%s/journal", folder);
		(void)atexit(remove_folder);
		sys_init(&journal_sys);
	}
	fd = open(journal_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(fd >= 0 && !file_write_all(fd, text, len, journal_path, NULL));
	(void)close(fd);
}

static void add_mark(struct buf *out, const char *key, const char *mark)
{
	struct json *line = js_new_object();
	struct err err = {0};

	must(!js_set_str(line, "at", "2026-11-21T01:30:00Z"));
	must(!js_set_str(line, "step", "rollout") && !js_set_str(line, "mark", mark));
	must(!js_set_str(line, "key", key) && !js_set_str(line, "note", "a {b} \"c\".yml"));
	must(!sum_add(line, &err) && !js_dump(out, line, false, &err));
	buf_addc(out, '\n');
	js_free(line);
}

/*
 * Marks as the bytes say, then one byte of the file changed, or the file cut. An action may count
 * as not ended that had; never the other way round.
 */
static void fuzz_marks(const uint8_t *data, size_t size)
{
	static const char *const marks[] = {"begin", "end", "fail"};
	bool ended[KEYS] = {false}, known[KEYS] = {false};
	size_t count = size > 4 ? size - 4 : 0, before = 0, at;
	struct journal journal;
	struct err err = {0};
	bool cut = size > 4 && data[3] & 1;
	struct buf text;

	if (!count)
		return;
	count = count < MARKS_MAX ? count : MARKS_MAX;
	buf_init(&text, BUF_TEXT_MAX);
	for (size_t i = 0; i < count; i++) {
		before = text.len;
		add_mark(&text, keys[data[4 + i] % KEYS], marks[data[4 + i] / KEYS % 3]);
	}
	at = (size_t)(data[0] << 16 | data[1] << 8 | data[2]) % text.len;
	/* A crash cuts the last line, and its action was not begun; elsewhere nothing is cut. */
	if (cut)
		at = before + at % (text.len - before);
	for (size_t i = 0; i + (cut && at < text.len - 1 ? 1 : 0) < count; i++) {
		size_t key = data[4 + i] % KEYS;

		ended[key] = data[4 + i] / KEYS % 3 == 1;
		known[key] = true;
	}
	if (!cut)
		text.data[at] = (char)(text.data[at] ^ (data[3] | 1));
	write_file(text.data, cut ? at : text.len);
	must(!journal_open(&journal, journal_path, &journal_sys, &err));
	for (size_t i = 0; i < KEYS; i++) {
		must(!journal_ended(&journal, keys[i]) || ended[i]);
		must(!journal_knows(&journal, keys[i]) || known[i]);
		must(!cut || journal_ended(&journal, keys[i]) == ended[i]);
	}
	must(!cut || !journal.damaged);
	journal_release(&journal);
	buf_release(&text);
}

static void fuzz_journal(const char *text, size_t len)
{
	struct journal journal;
	struct err err = {0};

	write_file(text, len);
	if (journal_open(&journal, journal_path, &journal_sys, &err)) {
		must(err.msg[0] != '\0');
		return;
	}
	/* Whatever stands there, what is written now is read again. */
	must(!journal_write(&journal, "r", "trust", "forward", "rollout", "end", "new", "a.yml",
			    &err));
	must(journal_ended(&journal, "new"));
	journal_release(&journal);
	must(!journal_open(&journal, journal_path, &journal_sys, &err));
	must(journal_ended(&journal, "new") && !strcmp(journal.last_step, "rollout"));
	journal_release(&journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	if (!size)
		return 0;
	switch (data[0] % 4) {
	case 0:
		fuzz_store(text, size - 1);
		break;
	case 1:
		fuzz_generation(text, size - 1);
		break;
	case 2:
		fuzz_marks(data + 1, size - 1);
		break;
	default:
		fuzz_journal(text, size - 1);
	}
	return 0;
}
