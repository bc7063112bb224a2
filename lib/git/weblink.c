/* SPDX-License-Identifier: PostgreSQL */
/*
 * Pages that open a merge request. GitLab: docs.gitlab.com, "URL parameters" of merge requests;
 * GitHub: docs.github.com, "Using query parameters to create a pull request"; Forgejo and Gitea
 * answer to the same path as GitHub.
 */
#include <ctype.h>
#include <string.h>

#include "git/remote.h"

struct forge {
	const char *word; /* in the host's name */
	/* %p: the project's page, %h: the branch, %b: the base */
	const char *in_path;  /* where branch names keep their slashes */
	const char *in_query; /* where they do not; one of the two */
};

static const struct forge forges[] = {
	{"gitlab", NULL,
	 "%p/-/merge_requests/new?merge_request%5Bsource_branch%5D=%h"
	 "&merge_request%5Btarget_branch%5D=%b"},
	{"github", "%p/compare/%b...%h?expand=1", NULL},
	{"codeberg", "%p/compare/%b...%h", NULL},
	{"forgejo", "%p/compare/%b...%h", NULL},
	{"gitea", "%p/compare/%b...%h", NULL},
};

/* Hosts that take ssh at port 443 under another name. */
static const char *const aliases[][2] = {{"ssh.github.com", "github.com"},
					 {"altssh.gitlab.com", "gitlab.com"}};

struct place {
	const char *scheme;
	const char *host;
	size_t host_len; /* with the port, where the web has it too */
	const char *path;
	size_t path_len;
};

static void set_path(struct place *out, const char *path)
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
static void set_host(struct place *out, const char *host, size_t len, bool with_port)
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

static bool parse_url(struct place *out, const char *url)
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

static bool is_plain_host(const struct place *place)
{
	for (size_t i = 0; i < place->host_len; i++) {
		char c = place->host[i];

		if (!isalnum((unsigned char)c) && c != '.' && c != '-' && c != ':')
			return false;
	}
	return place->host_len > 0;
}

static const struct forge *find_forge(const struct place *place)
{
	for (size_t i = 0; i < sizeof(forges) / sizeof(forges[0]); i++) {
		size_t len = strlen(forges[i].word);

		for (size_t at = 0; at + len <= place->host_len; at++) {
			if (!strncasecmp(place->host + at, forges[i].word, len))
				return &forges[i];
		}
	}
	return NULL;
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

int remote_web_link(struct buf *out, const char *url, const char *branch, const char *base,
		    struct err *err)
{
	struct place place = {NULL, NULL, 0, NULL, 0};
	const struct forge *forge;
	const char *format;
	bool slashes;

	if (!parse_url(&place, url) || !is_plain_host(&place) ||
	    !memchr(place.path, '/', place.path_len))
		return 0;
	forge = find_forge(&place);
	if (!forge)
		return 0;
	slashes = forge->in_path != NULL;
	format = slashes ? forge->in_path : forge->in_query;
	for (const char *at = format; *at; at++) {
		if (at[0] == '%' && at[1] == 'p') {
			buf_addf(out, "%s://%.*s/", place.scheme, (int)place.host_len, place.host);
			add_encoded(out, place.path, place.path_len, true);
			at++;
		} else if (at[0] == '%' && (at[1] == 'h' || at[1] == 'b')) {
			const char *name = at[1] == 'h' ? branch : base;

			add_encoded(out, name, strlen(name), slashes);
			at++;
		} else {
			buf_addc(out, *at);
		}
	}
	return buf_check(out, "the link to a merge request", err);
}
