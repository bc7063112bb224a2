/* SPDX-License-Identifier: PostgreSQL */
/*
 * INI inventories, as ansible-core's plugins/inventory/ini.py reads them: "[group]" sections with
 * "host key=value …" lines, "[group:children]" and "[group:vars]" sections, comments with # and ;.
 */
#include "inventory/hosts_read.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum section { SECTION_HOSTS, SECTION_OTHER };

static int bad_line(const char *name, size_t line, const char *why, struct err *err)
{
	return err_set(err, ERR_USAGE, "%s:%zu: %s", name, line, why);
}

/*
 * Takes the next word off a line, with quotes and backslashes as a shell would, in place. NULL at
 * the end or at a comment. *bad where a quote is not closed.
 */
static char *next_word(char **at, bool *bad)
{
	char *in = *at + strspn(*at, " \t\r"), *word = in, *out = in;
	char quote = '\0';

	if (!*in || *in == '#') {
		*at = in + strlen(in);
		return NULL;
	}
	for (; *in && (quote || !strchr(" \t\r", *in)); in++) {
		if (quote ? *in == quote : (*in == '\'' || *in == '"'))
			quote = quote ? '\0' : *in;
		else if (*in == '\\' && in[1] && quote != '\'')
			*out++ = *++in;
		else
			*out++ = *in;
	}
	*bad = quote != '\0';
	*at = *in ? in + 1 : in;
	*out = '\0';
	return word;
}

/* "db1:2222" has a port behind the name; "[::1]:22" and "db[1:3]" have colons in brackets. */
static void drop_port(char *host)
{
	char *bracket = strrchr(host, ']'), *colon = strrchr(bracket ? bracket : host, ':');

	if (colon && strchr(host, ':') != colon && !bracket)
		return; /* an IPv6 address */
	if (colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1))
		*colon = '\0';
}

static int host_line(struct hosts *hosts, char *text, const char *name, size_t line,
		     struct err *err)
{
	const char *address = NULL;
	bool bad = false;
	char *at = text, *host = next_word(&at, &bad), *word;

	if (bad || !host)
		return bad_line(name, line, "a quote is not closed", err);
	drop_port(host);
	while ((word = next_word(&at, &bad)) && !bad) {
		if (!strncmp(word, "ansible_host=", 13))
			address = word + 13;
		else if (!strncmp(word, "ansible_ssh_host=", 17) && !address)
			address = word + 17;
		else if (!strchr(word, '='))
			return bad_line(name, line, "expected key=value behind a host", err);
	}
	if (bad)
		return bad_line(name, line, "a quote is not closed", err);
	if (hosts_add(hosts, host, address, true, err) != 0)
		return err_prefix(err, "%s:%zu", name, line);
	return 0;
}

static int section_line(enum section *section, const char *text, const char *name, size_t line,
			struct err *err)
{
	const char *end = strchr(text, ']');

	const char *rest = end ? end + 1 + strspn(end + 1, " \t\r") : NULL;

	if (!rest || (*rest && *rest != '#' && *rest != ';'))
		return bad_line(name, line, "a section is not closed", err);
	*section = memchr(text, ':', (size_t)(end - text)) ? SECTION_OTHER : SECTION_HOSTS;
	return 0;
}

int hosts_read_ini(struct hosts *hosts, const char *text, const char *name, struct err *err)
{
	enum section section = SECTION_HOSTS;
	char *copy = strdup(text), *next = copy;
	size_t number = 0;
	int rc = 0;

	if (!copy)
		return err_nomem(err);
	while (next && !rc) {
		char *line = strsep(&next, "\n");

		number++;
		line += strspn(line, " \t\r");
		if (!*line || *line == '#' || *line == ';')
			continue;
		if (*line == '[')
			rc = section_line(&section, line, name, number, err);
		else if (section == SECTION_HOSTS)
			rc = host_line(hosts, line, name, number, err);
	}
	free(copy);
	return rc;
}
