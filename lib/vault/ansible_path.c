/* SPDX-License-Identifier: PostgreSQL */
#include <ctype.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "vault/ansible_cfg.h"

#define PATH_TEXT_MAX ((size_t)1 << 16)

/* os.path.expandvars of Python: $NAME and ${NAME}; one that is not set stays as it is. */
static const char *expand_variable(struct buf *out, const char *at)
{
	bool braces = at[1] == '{';
	const char *start = at + (braces ? 2 : 1);
	const char *end = start;
	const char *after;
	const char *value;
	char *name;

	if (braces)
		end = strchr(start, '}');
	else
		while (isalnum((unsigned char)*end) || *end == '_')
			end++;
	if (!end || end == start) {
		buf_addc(out, '$');
		return at + 1;
	}
	after = braces ? end + 1 : end;
	name = strndup(start, (size_t)(end - start));
	value = name ? getenv(name) : NULL;
	free(name);
	if (value)
		buf_adds(out, value);
	else
		buf_add(out, at, (size_t)(after - at));
	return after;
}

static void expand_variables(struct buf *out, const char *text, const char *cwd)
{
	static const char magic[] = "{{CWD}}";

	while (*text) {
		if (strncmp(text, magic, sizeof(magic) - 1) == 0) {
			buf_adds(out, cwd);
			text += sizeof(magic) - 1;
		} else if (*text == '$') {
			text = expand_variable(out, text);
		} else {
			buf_addc(out, *text++);
		}
	}
}

/* os.path.expanduser: ~ by HOME, else by the user data base; ~NAME by the data base. */
static void expand_home(struct buf *out, const char *text)
{
	const char *rest = strchr(text, '/');
	const struct passwd *user = NULL;
	const char *home = NULL;
	char *name;

	rest = rest ? rest : text + strlen(text);
	if (text[0] == '~') {
		if (rest == text + 1) {
			home = getenv("HOME");
			user = home ? NULL : getpwuid(getuid());
		} else {
			name = strndup(text + 1, (size_t)(rest - text - 1));
			user = name ? getpwnam(name) : NULL;
			free(name);
		}
		home = user ? user->pw_dir : home;
	}
	if (home) {
		size_t len = strlen(home);

		while (len && home[len - 1] == '/')
			len--;
		buf_add(out, home, len);
		text = rest;
	}
	buf_adds(out, text);
}

/* os.path.normpath of an absolute path. */
static void normalise(struct buf *out, const char *text)
{
	while (*text) {
		size_t len;

		while (*text == '/')
			text++;
		len = strcspn(text, "/");
		if (len == 2 && text[0] == '.' && text[1] == '.') {
			while (out->len && out->data[out->len - 1] != '/')
				out->len--;
			out->len -= out->len ? 1 : 0;
		} else if (len && !(len == 1 && text[0] == '.')) {
			buf_addc(out, '/');
			buf_add(out, text, len);
		}
		text += len;
	}
	if (!out->len)
		buf_addc(out, '/');
	if (!out->failed)
		out->data[out->len] = '\0';
}

char *ansible_path(const char *value, const char *base, const char *cwd)
{
	struct buf expanded, home, out;
	char *joined = NULL;
	char *path = NULL;

	buf_init(&expanded, PATH_TEXT_MAX);
	buf_init(&home, PATH_TEXT_MAX);
	buf_init(&out, PATH_TEXT_MAX);
	expand_variables(&expanded, value, cwd);
	expand_home(&home, expanded.data);
	if (!expanded.failed && !home.failed)
		joined = path_join(base, home.data);
	if (joined)
		normalise(&out, joined);
	if (joined && !out.failed)
		path = buf_detach(&out);
	free(joined);
	buf_release(&out);
	buf_release(&home);
	buf_release(&expanded);
	return path;
}
