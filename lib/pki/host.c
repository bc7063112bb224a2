/* SPDX-License-Identifier: PostgreSQL */
/*
 * libpq's rule for host names, from PostgreSQL 15's src/interfaces/libpq/fe-secure-openssl.c
 * (pgtls_verify_peer_name_matches_certificate_guts) and fe-secure-common.c.
 */
#include "pki/internal.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <openssl/err.h>

bool dns_covers(const char *pattern, const char *host)
{
	const char *dot;

	if (!strcasecmp(pattern, host))
		return true;
	if (strncmp(pattern, "*.", 2) != 0 || !pattern[2])
		return false;
	/* The star stands for one whole label, which is not empty. */
	dot = strchr(host, '.');
	return dot && dot > host && !strcasecmp(pattern + 1, dot);
}

enum outcome { GO_ON, MATCHES, BROKEN };

static enum outcome compare_dns(const ASN1_IA5STRING *name, const char *host)
{
	const char *data = (const char *)ASN1_STRING_get0_data(name);
	size_t len = (size_t)ASN1_STRING_length(name);
	char text[1024];

	/* A NUL inside (CVE-2009-4034) makes libpq give up on the certificate. */
	if (memchr(data, '\0', len))
		return BROKEN;
	if (len >= sizeof(text))
		return GO_ON;
	memcpy(text, data, len);
	text[len] = '\0';
	return dns_covers(text, host) ? MATCHES : GO_ON;
}

static enum outcome compare_address(const ASN1_OCTET_STRING *name, const char *host)
{
	const unsigned char *data = ASN1_STRING_get0_data(name);
	struct in6_addr six;
	struct in_addr four;

	switch (ASN1_STRING_length(name)) {
	case 4:
		/* inet_aton on purpose, as libpq: it also takes "10.1" */
		return inet_aton(host, &four) && !memcmp(data, &four, 4) ? MATCHES : GO_ON;
	case 16:
		return inet_pton(AF_INET6, host, &six) == 1 && !memcmp(data, &six, 16) ? MATCHES
										       : GO_ON;
	default:
		return BROKEN;
	}
}

static bool is_address(const char *host)
{
	struct in6_addr six;
	struct in_addr four;

	return inet_aton(host, &four) || inet_pton(AF_INET6, host, &six) == 1;
}

static enum host_match by_names(const GENERAL_NAMES *names, const char *host, bool *check_cn)
{
	int host_type = is_address(host) ? GEN_IPADD : GEN_DNS;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		enum outcome outcome = GO_ON;

		if (name->type == host_type)
			*check_cn = false;
		if (name->type == GEN_DNS)
			outcome = compare_dns(name->d.dNSName, host);
		else if (name->type == GEN_IPADD)
			outcome = compare_address(name->d.iPAddress, host);
		if (outcome == MATCHES)
			return name->type == GEN_DNS ? HOST_MATCH_NAME : HOST_MATCH_ADDRESS;
		if (outcome == BROKEN) {
			*check_cn = false;
			return HOST_MATCH_NONE;
		}
	}
	return HOST_MATCH_NONE;
}

enum host_match host_matches(const struct cert *leaf, const char *host)
{
	enum host_match match = HOST_MATCH_NONE;
	bool check_cn = true;
	GENERAL_NAMES *names = NULL;

	if (!host[0])
		return HOST_MATCH_NONE;
	if (!cert_extension((void **)&names, leaf, NID_subject_alt_name, NULL) && names)
		match = by_names(names, host, &check_cn);
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	if (match == HOST_MATCH_NONE && check_cn && cert_common_name(leaf)[0] &&
	    dns_covers(cert_common_name(leaf), host))
		match = HOST_MATCH_CN;
	return match;
}
