/* SPDX-License-Identifier: PostgreSQL */
/*
 * Runs every fuzzer over its kept corpus, without libFuzzer: what was found once stays mended.
 *
 *   build/tests/fuzz [CORPUS-FOLDER [FUZZER…]]      tests/fuzz/corpus, all of them
 *
 * Each fuzzer is linked in under the name of its file (the Makefile renames its entry), and runs in
 * a process of its own, so that a crash names it.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/strs.h"

#define INPUT_MAX ((size_t)1 << 20)
#define NAME_SIZE 256
#define ALARM_S	  60 /* of one fuzzer's whole corpus, on a machine that does other things too */

typedef int (*entry)(const uint8_t *data, size_t size);

static void give_up(const struct err *err)
{
	(void)fprintf(stderr, "%s\n", err->msg);
	exit(1);
}

/* Names in a folder, but for those that begin with a dot; sorted. */
static void list(struct strs *out, const char *path)
{
	struct err err = {0};
	struct dirent *item;
	DIR *dir = opendir(path);

	if (!dir) {
		(void)fprintf(stderr, "%s: no corpus\n", path);
		exit(1);
	}
	while ((item = readdir(dir))) {
		if (item->d_name[0] != '.' && strs_add(out, item->d_name, &err))
			give_up(&err);
	}
	(void)closedir(dir);
	strs_sort(out);
}

static entry find(const char *name)
{
	void *symbol = dlsym(RTLD_DEFAULT, name);
	entry found;

	if (!symbol) {
		(void)fprintf(stderr, "%s: there is no such fuzzer\n", name);
		exit(1);
	}
	memcpy(&found, &symbol, sizeof(found));
	return found;
}

/* An input in memory of exactly its size, so that a read behind its end shows. */
static void run_one(entry run, const char *path)
{
	struct err err = {0};
	struct buf text;
	uint8_t *data;

	buf_init(&text, INPUT_MAX);
	if (file_read(&text, path, INPUT_MAX, &err))
		give_up(&err);
	data = malloc(text.len ? text.len : 1);
	if (!data)
		exit(1);
	memcpy(data, text.data, text.len);
	(void)run(data, text.len);
	free(data);
	buf_release(&text);
}

static void run_all(const char *folder, const char *name, char *under_way)
{
	struct strs files = STRS_INIT;
	entry run = find(name);

	list(&files, folder);
	(void)alarm(ALARM_S);
	for (size_t i = 0; i < files.count; i++) {
		char *path = str_fmt("%s/%s", folder, files.items[i]);

		(void)snprintf(under_way, NAME_SIZE, "%s", files.items[i]);
		run_one(run, path);
		free(path);
	}
	(void)printf("%s: %zu inputs\n", name, files.count);
	if (!files.count)
		exit(1);
	strs_release(&files);
	exit(0);
}

static int replay(const char *corpus, const char *name, char *under_way)
{
	const char *short_name = str_starts(name, "fuzz_") ? name + 5 : name;
	char *folder = str_fmt("%s/%s", corpus, short_name);
	char *symbol = str_fmt("fuzz_%s", short_name);
	int status = 1;
	pid_t pid;

	(void)fflush(stdout);
	under_way[0] = '\0';
	pid = fork();
	if (pid == 0)
		run_all(folder, symbol, under_way);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		(void)fprintf(stderr, "%s: failed at %s/%s (status 0x%x)\n", symbol, folder,
			      under_way, (unsigned)status);
		status = 1;
	}
	free(folder);
	free(symbol);
	return status;
}

int main(int argc, char **argv)
{
	const char *corpus = argc > 1 ? argv[1] : "tests/fuzz/corpus";
	struct strs names = STRS_INIT;
	struct err err = {0};
	char *under_way = mmap(NULL, NAME_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			       -1, 0);
	int failed = 0;

	if (under_way == MAP_FAILED)
		return 1;
	for (int i = 2; i < argc; i++) {
		if (strs_add(&names, argv[i], &err))
			give_up(&err);
	}
	if (!names.count)
		list(&names, corpus);
	for (size_t i = 0; i < names.count; i++)
		failed |= replay(corpus, names.items[i], under_way);
	strs_release(&names);
	return failed;
}
