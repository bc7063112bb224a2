/* SPDX-License-Identifier: PostgreSQL */
/*
 * Looks for many byte strings at once in many files:
 *
 *   find DIR -type f -print0 | search NEEDLES
 *
 * NEEDLES has a line for each, "LABEL HEX", of 8 bytes and more. Each file that holds one is named
 * with the label and the offset. Ends with 1 where one was found, 0 where none was, 2 where it
 * could not look. The last line says how much was looked through.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW	  8
#define BITS	  22
#define FOUND_MAX 20 /* that are told of one file */

struct needle {
	char *label;
	unsigned char *bytes;
	size_t len;
	struct needle *next; /* of the same slot */
};

static struct needle *slots[1U << 16];
static unsigned char known[1U << (BITS - 3)];
static size_t needles;

static uint64_t window_at(const unsigned char *at)
{
	uint64_t window;

	memcpy(&window, at, WINDOW);
	return window * UINT64_C(0x9e3779b97f4a7c15);
}

static void give_up(const char *what)
{
	perror(what);
	exit(2);
}

static void add_needle(char *line)
{
	struct needle *needle = calloc(1, sizeof(*needle));
	char *hex = strchr(line, ' ');
	uint64_t hash;

	if (!needle || !hex || strlen(hex + 1) < (size_t)2 * WINDOW)
		give_up(line);
	*hex++ = '\0';
	needle->label = strdup(line);
	needle->bytes = calloc(strlen(hex) / 2 + 1, 1);
	if (!needle->label || !needle->bytes)
		give_up(line);
	for (; hex[0] && hex[1]; hex += 2) {
		char byte[3] = {hex[0], hex[1], '\0'};

		needle->bytes[needle->len++] = (unsigned char)strtoul(byte, NULL, 16);
	}
	hash = window_at(needle->bytes);
	known[hash >> (64 - BITS) >> 3] |= (unsigned char)(1U << (hash >> (64 - BITS) & 7));
	needle->next = slots[hash >> 48];
	slots[hash >> 48] = needle;
	needles++;
}

static void read_needles(const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;

	if (!file)
		give_up(path);
	while (getline(&line, &cap, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		add_needle(line);
	}
	free(line);
	(void)fclose(file);
}

static size_t look(const unsigned char *data, size_t len, const char *path)
{
	size_t found = 0;

	for (size_t i = 0; i + WINDOW <= len && found < FOUND_MAX; i++) {
		uint64_t hash = window_at(data + i);

		if (!(known[hash >> (64 - BITS) >> 3] >> (hash >> (64 - BITS) & 7) & 1))
			continue;
		for (const struct needle *n = slots[hash >> 48]; n; n = n->next) {
			if (n->len <= len - i && !memcmp(data + i, n->bytes, n->len)) {
				(void)printf("FOUND %s in %s at %zu\n", n->label, path, i);
				found++;
			}
		}
	}
	return found;
}

static size_t look_into(const char *path, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	size_t found = 0;
	void *data;

	if (fd < 0 || fstat(fd, &st))
		give_up(path);
	if (S_ISREG(st.st_mode) && st.st_size > 0) {
		data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data == MAP_FAILED)
			give_up(path);
		found = look(data, (size_t)st.st_size, path);
		*bytes += (size_t)st.st_size;
		(void)munmap(data, (size_t)st.st_size);
	}
	(void)close(fd);
	return found;
}

int main(int argc, char **argv)
{
	size_t cap = 0, files = 0, bytes = 0, found = 0;
	char *path = NULL;

	if (argc != 2) {
		(void)fprintf(stderr, "search NEEDLES <PATHS\n");
		return 2;
	}
	read_needles(argv[1]);
	while (getdelim(&path, &cap, '\0', stdin) > 0) {
		found += look_into(path, &bytes);
		files++;
	}
	free(path);
	(void)printf("searched %zu files, %zu bytes, for %zu strings\n", files, bytes, needles);
	if (!needles || !files)
		return 2;
	return found ? 1 : 0;
}
