/* SPDX-License-Identifier: PostgreSQL */
/*
 * Proxies as curl(1) takes them from the environment ("ENVIRONMENT"), read here and not by libcurl
 * so that we know whose name has to be looked up, and so that what stays on this machine does.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/http_impl.h"

static const char *from_environment(const char *lower, const char *upper)
{
	const char *value = getenv(lower);

	if (!value || !value[0])
		value = getenv(upper);
	return value && value[0] ? value : NULL;
}

/* Whether the first bits of both are equal. */
static bool bits_equal(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return !rest || !((a[whole] ^ b[whole]) >> (8 - rest));
}

/* "10.0.0.0/8", "10.1.2.3", "fd00::/8" against an address. */
static bool network_has(const char *item, const unsigned char *address, int family)
{
	unsigned bits = family == AF_INET ? 32 : 128, most = bits;
	unsigned char network[16];
	char text[64];
	char *slash;

	if (snprintf(text, sizeof(text), "%s", item) >= (int)sizeof(text))
		return false;
	slash = strchr(text, '/');
	if (slash) {
		char *end = NULL;
		unsigned long given = strtoul(slash + 1, &end, 10);

		if (end == slash + 1 || *end || given > most)
			return false;
		bits = (unsigned)given;
		*slash = '\0';
	}
	return inet_pton(family, text, network) == 1 && bits_equal(network, address, bits);
}

/* example.com and .example.com stand for the name and all below it. */
static bool domain_has(const char *item, const char *name)
{
	size_t name_len = strlen(name), len;

	if (*item == '.')
		item++;
	len = strlen(item);
	if (len && item[len - 1] == '.')
		len--;
	if (name_len && name[name_len - 1] == '.')
		name_len--;
	if (!len || len > name_len || strncasecmp(name + name_len - len, item, len) != 0)
		return false;
	return len == name_len || name[name_len - len - 1] == '.';
}

static bool item_has(char *item, const char *name)
{
	unsigned char address[16];
	size_t len = strlen(item);

	if (item[0] == '[' && len > 2 && item[len - 1] == ']') {
		item[len - 1] = '\0';
		item++;
	}
	if (inet_pton(AF_INET, name, address) == 1)
		return network_has(item, address, AF_INET);
	if (inet_pton(AF_INET6, name, address) == 1)
		return network_has(item, address, AF_INET6);
	return domain_has(item, name);
}

bool http_proxy_excepts(const char *list, const char *name)
{
	if (!strcmp(list, "*"))
		return true;
	while (*list) {
		size_t len;
		char item[256];

		list += strspn(list, ", \t");
		len = strcspn(list, ", \t");
		if (len && len < sizeof(item)) {
			memcpy(item, list, len);
			item[len] = '\0';
			if (item_has(item, name))
				return true;
		}
		list += len;
	}
	return false;
}

static bool scheme_known(const char *scheme)
{
	static const char *const known[] = {"http",    "https",	 "socks4",
					    "socks4a", "socks5", "socks5h"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strcasecmp(scheme, known[i]))
			return true;
	}
	return false;
}

/* As libcurl understands it: no scheme is http, and without a port it is 1080, for https 443. */
static int keep(struct http_proxy *out, const char *text, const char *scheme, const char *host,
		const char *port, struct err *err)
{
	size_t len = strlen(host);

	out->port = port			   ? (unsigned)strtoul(port, NULL, 10)
		    : !strcasecmp(scheme, "https") ? 443
						   : 1080;
	out->looks_up = strcasecmp(scheme, "socks4") != 0 && strcasecmp(scheme, "socks5") != 0;
	out->text = strdup(text);
	out->name = host[0] == '[' ? strndup(host + 1, len - 2) : strdup(host);
	out->shown = str_fmt("%s:%u", host, out->port);
	return out->text && out->name && out->shown ? 0 : err_nomem(err);
}

static int take(struct http_proxy *out, const char *text, struct err *err)
{
	const struct curl *curl = curl_library(err);
	CURLU *url;
	char *scheme = NULL, *host = NULL, *port = NULL;
	const char *kind = "http";
	CURLUcode code;
	int rc;

	if (!curl)
		return ERR_FAIL;
	url = curl->url();
	if (!url)
		return err_nomem(err);
	code = curl->url_set(url, CURLUPART_URL, text,
			     CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME);
	code = code ? code : curl->url_get(url, CURLUPART_SCHEME, &scheme, 0);
	code = code ? code : curl->url_get(url, CURLUPART_HOST, &host, 0);
	if (!code && curl->url_get(url, CURLUPART_PORT, &port, 0) == CURLUE_OUT_OF_MEMORY)
		code = CURLUE_OUT_OF_MEMORY;
	/* libcurl guesses a scheme by the host's name ("ftp."), but not for a proxy */
	if (!code && strstr(text, "://"))
		kind = scheme;
	if (code == CURLUE_OUT_OF_MEMORY || err_starved()) {
		rc = err_nomem(err);
	} else if (code || !scheme_known(kind)) {
		rc = err_set(err, ERR_USAGE, "the proxy that the environment names cannot be used");
		err_hint(err, "https_proxy (or all_proxy) is HOST:PORT, perhaps with http://, "
			      "https:// or socks5h:// in front; no_proxy lists hosts without one");
	} else {
		rc = keep(out, text, kind, host, port, err);
	}
	curl->free(scheme);
	curl->free(host);
	curl->free(port);
	curl->url_cleanup(url);
	return rc;
}

int http_proxy_find(struct http_proxy *out, const struct http_url *url, struct err *err)
{
	const char *text = from_environment("https_proxy", "HTTPS_PROXY");
	const char *except = from_environment("no_proxy", "NO_PROXY");
	int rc;

	*out = (struct http_proxy){0};
	text = text ? text : from_environment("all_proxy", "ALL_PROXY");
	if (!text || !strcmp(url->scheme, "http") || url->loopback ||
	    (except && http_proxy_excepts(except, url->name)))
		return 0;
	rc = take(out, text, err);
	if (rc)
		http_proxy_release(out);
	return rc;
}

void http_proxy_release(struct http_proxy *proxy)
{
	if (proxy->text)
		explicit_bzero(proxy->text, strlen(proxy->text));
	free(proxy->text);
	free(proxy->name);
	free(proxy->shown);
	*proxy = (struct http_proxy){0};
}
