/* SPDX-License-Identifier: PostgreSQL */
#include "outside/forge_place.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strs.h"
#include "outside/forge_table.h"

/* Hosts that take ssh at port 443 under another name. */
static const char *const aliases[][2] = {{"ssh.github.com", "github.com"},
					 {"altssh.gitlab.com", "gitlab.com"}};

/* The parts of a remote's URL, inside it. */
struct remote {
	const char *scheme;
	const char *host;
	size_t host_len; /* with the port, where the web has it too */
	const char *path;
	size_t path_len;
};

static void set_path(struct remote *out, const char *path)
{
	while (*path == '/')
		path++;
	out->path = path;
	out->path_len = strlen(path);
	while (out->path_len && path[out->path_len - 1] == '/')
		out->path_len--;
	if (out->path_len > 4 && !strncmp(path + out->path_len - 4, ".git", 4))
		out->path_len -= 4;
}

/* The host without user, and without the port where that is not the web's. */
static void set_host(struct remote *out, const char *host, size_t len, bool with_port)
{
	const char *at = memrchr(host, '@', len);
	size_t user = at ? (size_t)(at + 1 - host) : 0;
	const char *port;

	out->host = host + user;
	out->host_len = len - user;
	port = memchr(out->host, ':', out->host_len);
	if (port && !with_port)
		out->host_len = (size_t)(port - out->host);
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (strlen(aliases[i][0]) == out->host_len &&
		    !strncasecmp(aliases[i][0], out->host, out->host_len)) {
			out->host = aliases[i][1];
			out->host_len = strlen(aliases[i][1]);
		}
	}
}

static bool parse_url(struct remote *out, const char *url)
{
	static const struct {
		const char *prefix;
		const char *scheme;
		bool with_port;
	} schemes[] = {{"https://", "https", true},
		       {"http://", "http", true},
		       {"ssh://", "https", false},
		       {"git+ssh://", "https", false},
		       {"ssh+git://", "https", false}};
	size_t len;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (strncasecmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) != 0)
			continue;
		url += strlen(schemes[i].prefix);
		len = strcspn(url, "/");
		out->scheme = schemes[i].scheme;
		set_host(out, url, len, schemes[i].with_port);
		set_path(out, url + len);
		return true;
	}
	/* scp-like: a colon before the first slash */
	len = strcspn(url, ":/");
	if (strstr(url, "://") || url[len] != ':' || !len)
		return false;
	out->scheme = "https";
	set_host(out, url, len, false);
	set_path(out, url + len + 1);
	return true;
}

static bool is_plain_host(const struct remote *remote)
{
	for (size_t i = 0; i < remote->host_len; i++) {
		char c = remote->host[i];

		if (!isalnum((unsigned char)c) && c != '.' && c != '-' && c != ':')
			return false;
	}
	return remote->host_len > 0;
}

/* Where an address has its host: behind the scheme. */
static const char *host_of(const char *address, size_t *len)
{
	const char *host = strstr(address, "://");

	host = host ? host + 3 : address;
	*len = strcspn(host, "/");
	return host;
}

static enum forge_kind kind_of(const char *address)
{
	size_t host_len;
	const char *host = host_of(address, &host_len);

	for (int kind = 0; kind < FORGE__MAX; kind++) {
		const char *const *words = forge_form((enum forge_kind)kind)->words;

		for (size_t i = 0; words[i]; i++) {
			for (size_t at = 0; at + strlen(words[i]) <= host_len; at++) {
				if (!strncasecmp(host + at, words[i], strlen(words[i])))
					return (enum forge_kind)kind;
			}
		}
	}
	return FORGE__MAX;
}

/* Behind the path that the forge itself has: "/git" in https://example.com/git/dba/inventory. */
static void strip_prefix(struct remote *remote, const char *address)
{
	size_t host_len, len;
	const char *prefix = host_of(address, &host_len) + host_len;

	while (*prefix == '/')
		prefix++;
	len = strlen(prefix);
	if (len && remote->path_len > len && !strncmp(remote->path, prefix, len) &&
	    remote->path[len] == '/') {
		remote->path += len + 1;
		remote->path_len -= len + 1;
	}
}

int forge_place_find(struct forge_place *out, const struct forge_config *config,
		     const char *remote_url, struct err *err)
{
	struct remote remote = {NULL, NULL, 0, NULL, 0};
	bool known = parse_url(&remote, remote_url) && is_plain_host(&remote);

	*out = (struct forge_place){.kind = config->kind};
	if (config->url)
		out->address = strdup(config->url);
	else if (known)
		out->address = str_fmt("%s://%.*s", remote.scheme, (int)remote.host_len,
				       remote.host);
	else
		out->address = strdup("");
	if (!out->address)
		return err_nomem(err);
	if (config->project) {
		out->project = strdup(config->project);
	} else if (known) {
		strip_prefix(&remote, out->address);
		out->project = strndup(remote.path, remote.path_len);
	} else {
		out->project = strdup("");
	}
	if (!out->project) {
		forge_place_release(out);
		return err_nomem(err);
	}
	if (out->kind == FORGE__MAX)
		out->kind = kind_of(out->address);
	if (!strchr(out->project, '/') || !out->address[0]) {
		free(out->project);
		out->project = NULL;
		out->kind = FORGE__MAX;
	}
	return 0;
}

void forge_place_release(struct forge_place *place)
{
	free(place->address);
	free(place->project);
	*place = (struct forge_place){.kind = FORGE__MAX};
}

int forge_place_check(const struct forge_place *place, const char *remote, struct err *err)
{
	if (!place->project) {
		err_set(err, ERR_USAGE,
			"which project of a forge the remote %s is does not follow from its URL",
			remote);
		return err_hint(err, "set git.forge.url and git.forge.project in certrotate.yml, "
				     "or take the token out of it");
	}
	if (place->kind == FORGE__MAX) {
		err_set(err, ERR_USAGE,
			"whether %s is GitLab, GitHub or Forgejo does not follow from its name",
			place->address);
		return err_hint(err, "set git.forge.kind in certrotate.yml");
	}
	if (strncasecmp(place->address, "https://", 8) != 0) {
		err_set(err, ERR_USAGE, "%s: a token is not sent without TLS", place->address);
		return err_hint(err, "set git.forge.url in certrotate.yml to the https:// address");
	}
	return 0;
}

/* RFC 3986, section 2.3: the unreserved characters, and '/' where it is one of the path. */
static void add_encoded(struct buf *out, const char *text, size_t len, bool slashes)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x80 && isalnum(c)) || strchr("-._~", c) || (slashes && c == '/'))
			buf_addc(out, (char)c);
		else
			buf_addf(out, "%%%02X", c);
	}
}

int forge_place_page(struct buf *out, const struct forge_place *place, const char *branch,
		     const char *base, struct err *err)
{
	const struct forge_form *form = forge_form(place->kind);

	for (const char *at = form ? form->page : ""; *at; at++) {
		if (at[0] == '%' && at[1] == 'p') {
			buf_addf(out, "%s/", place->address);
			add_encoded(out, place->project, strlen(place->project), true);
			at++;
		} else if (at[0] == '%' && (at[1] == 'h' || at[1] == 'b')) {
			const char *name = at[1] == 'h' ? branch : base;

			add_encoded(out, name, strlen(name), form->page_slashes);
			at++;
		} else {
			buf_addc(out, *at);
		}
	}
	return buf_check(out, "the link to a merge request", err);
}

/* Where the API is: beside the pages, but for the service that has it on a host of its own. */
static void add_api(struct buf *out, const struct forge_place *place, const struct forge_form *form)
{
	size_t len;
	const char *host = host_of(place->address, &len);

	if (form->cloud && strlen(form->cloud) == len && !strncasecmp(form->cloud, host, len))
		buf_adds(out, form->cloud_api);
	else
		buf_addf(out, "%s%s", place->address, form->api);
}

int forge_place_call(struct buf *out, const struct forge_place *place, const char *path,
		     const char *branch, const char *base, int64_t number, unsigned page,
		     struct err *err)
{
	const struct forge_form *form = forge_form(place->kind);
	const char *project = place->project;

	add_api(out, place, form);
	for (const char *at = path; *at; at++) {
		char what = at[0] == '%' ? at[1] : '\0';

		at += strchr("pohbni", what) && what ? 1 : 0;
		if (what == 'p')
			add_encoded(out, project, strlen(project), form->project_slashes);
		else if (what == 'o')
			add_encoded(out, project, strcspn(project, "/"), false);
		else if (what == 'h')
			add_encoded(out, branch, strlen(branch), false);
		else if (what == 'b')
			add_encoded(out, base, strlen(base), false);
		else if (what == 'n')
			buf_addf(out, "%" PRId64, number);
		else if (what == 'i')
			buf_addf(out, "%u", page);
		else
			buf_addc(out, *at);
	}
	return buf_check(out, "an address", err);
}
