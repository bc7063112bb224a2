/* SPDX-License-Identifier: PostgreSQL */
/* Subject alternative names (RFC 5280 4.2.1.6): reading them as text, and building them from it. */
#include "pki/internal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include "pki/native.h"

#define DNS_MAX	      253 /* RFC 1035 2.3.4 as text */
#define NAME_TEXT_MAX ((size_t)64 << 10)

static void add_ia5(struct buf *out, const char *kind, const ASN1_IA5STRING *text)
{
	buf_adds(out, kind);
	buf_add_safe(out, (const char *)ASN1_STRING_get0_data(text),
		     (size_t)ASN1_STRING_length(text));
}

static void add_address(struct buf *out, const ASN1_OCTET_STRING *address)
{
	const unsigned char *data = ASN1_STRING_get0_data(address);
	int len = ASN1_STRING_length(address);
	char text[INET6_ADDRSTRLEN];

	buf_adds(out, "IP:");
	if (len == 4 && inet_ntop(AF_INET, data, text, sizeof(text)))
		buf_adds(out, text);
	else if (len == 16 && inet_ntop(AF_INET6, data, text, sizeof(text)))
		buf_adds(out, text);
	else
		buf_addf(out, "invalid (%d bytes)", len);
}

/* Directory names and registered IDs: OpenSSL prints these whole. */
static void add_printed(struct buf *out, GENERAL_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data = NULL;
	long len = 0;

	if (bio && GENERAL_NAME_print(bio, name) > 0)
		len = BIO_get_mem_data(bio, &data);
	buf_add_safe(out, len > 0 ? data : "unreadable", len > 0 ? (size_t)len : 10);
	BIO_free(bio);
}

/* "other:" and the DER in hex: OpenSSL shows "<unsupported>", which would make two of them one. */
static void add_der(struct buf *out, GENERAL_NAME *name)
{
	unsigned char *der = NULL;
	int len = i2d_GENERAL_NAME(name, &der);

	buf_adds(out, "other:");
	for (int i = 0; i < len; i++)
		buf_addf(out, "%02x", der[i]);
	OPENSSL_free(der);
}

static void add_name(struct buf *out, GENERAL_NAME *name)
{
	switch (name->type) {
	case GEN_DNS:
		add_ia5(out, "DNS:", name->d.dNSName);
		break;
	case GEN_IPADD:
		add_address(out, name->d.iPAddress);
		break;
	case GEN_EMAIL:
		add_ia5(out, "email:", name->d.rfc822Name);
		break;
	case GEN_URI:
		add_ia5(out, "URI:", name->d.uniformResourceIdentifier);
		break;
	case GEN_DIRNAME:
	case GEN_RID:
		add_printed(out, name);
		break;
	default:
		add_der(out, name);
	}
}

static int name_to_text(struct buf *out, GENERAL_NAME *name, struct err *err)
{
	buf_reset(out);
	add_name(out, name);
	return buf_check(out, "a certificate's name", err);
}

int cert_names(struct strs *out, const struct cert *cert, struct err *err)
{
	GENERAL_NAMES *names = NULL;
	struct buf text;
	int rc = cert_extension((void **)&names, cert, NID_subject_alt_name, err);

	buf_init(&text, NAME_TEXT_MAX);
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !rc; i++) {
		rc = name_to_text(&text, sk_GENERAL_NAME_value(names, i), err);
		if (!rc)
			rc = strs_add_unique(out, text.data, err);
	}
	buf_release(&text);
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return rc;
}

/* Letters, digits, hyphens and (in use, though not in RFC 1035) underscores; one "*." in front. */
static bool is_dns_name(const char *text)
{
	size_t label = 0;

	if (!strncmp(text, "*.", 2))
		text += 2;
	if (strlen(text) > DNS_MAX)
		return false;
	for (; *text; text++) {
		if (*text == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if ((!isalnum((unsigned char)*text) && *text != '-' && *text != '_') ||
		    ++label > 63)
			return false;
	}
	return label > 0;
}

static bool is_plain_ascii(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			return false;
	}
	return true;
}

/* The address's bytes in network order; their number, or 0 where it is no address. */
static int parse_address(unsigned char out[16], const char *text)
{
	if (inet_pton(AF_INET, text, out) == 1)
		return 4;
	return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

static const struct {
	const char *prefix;
	int type;
} kinds[] = {{"DNS:", GEN_DNS}, {"IP:", GEN_IPADD}, {"email:", GEN_EMAIL}, {"URI:", GEN_URI}};

/* Which kind the text is of, and where its value begins; GEN_OTHERNAME where it is none. */
static int classify(const char *text, const char **value)
{
	unsigned char address[16];

	*value = text;
	if (parse_address(address, text))
		return GEN_IPADD;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!str_starts(text, kinds[i].prefix))
			continue;
		*value = text + strlen(kinds[i].prefix);
		if (kinds[i].type == GEN_IPADD)
			return parse_address(address, *value) ? GEN_IPADD : GEN_OTHERNAME;
		/* Taken from a predecessor such a name need not be one that DNS would hold. */
		return is_plain_ascii(*value) ? kinds[i].type : GEN_OTHERNAME;
	}
	return is_dns_name(text) ? GEN_DNS : GEN_OTHERNAME;
}

static int check_name(const char *text, struct err *err)
{
	const char *value;

	if (classify(text, &value) != GEN_OTHERNAME)
		return 0;
	(void)err_set(err, ERR_USAGE, "'%s' is neither a host name nor an IP address", text);
	return err_hint(err, "names in a certificate are such as db1.example.com, "
			     "*.example.com, 10.0.4.42 or fd00::1; write others than ASCII in "
			     "punycode (xn--…)");
}

int issue_check_names(const struct strs *names, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; names && i < names->count && !rc; i++)
		rc = check_name(names->items[i], err);
	return rc;
}

static bool same_name(const GENERAL_NAME *a, const GENERAL_NAME *b)
{
	const ASN1_STRING *x = a->d.ia5, *y = b->d.ia5; /* all that add_text makes are strings */
	int len = ASN1_STRING_length(x);

	if (a->type != b->type || len != ASN1_STRING_length(y))
		return false;
	if (a->type == GEN_DNS)
		return !strncasecmp((const char *)ASN1_STRING_get0_data(x),
				    (const char *)ASN1_STRING_get0_data(y), (size_t)len);
	return !memcmp(ASN1_STRING_get0_data(x), ASN1_STRING_get0_data(y), (size_t)len);
}

/* Takes over name. */
static int push_name(GENERAL_NAMES *list, GENERAL_NAME *name, struct err *err)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(list); i++) {
		if (same_name(sk_GENERAL_NAME_value(list, i), name)) {
			GENERAL_NAME_free(name);
			return 0;
		}
	}
	if (!sk_GENERAL_NAME_push(list, name)) {
		GENERAL_NAME_free(name);
		return err_nomem(err);
	}
	return 0;
}

static int add_text(GENERAL_NAMES *list, const char *text, struct err *err)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *string;
	unsigned char address[16];
	const char *value;
	int type = classify(text, &value);
	bool is_address = type == GEN_IPADD;
	int rc = check_name(text, err);

	string = is_address ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
	if (!rc &&
	    (!name || !string ||
	     !ASN1_STRING_set(string, is_address ? (const void *)address : value,
			      is_address ? parse_address(address, value) : (int)strlen(value))))
		rc = err_nomem(err);
	if (rc) {
		ASN1_STRING_free(string);
		GENERAL_NAME_free(name);
		return rc;
	}
	GENERAL_NAME_set0_value(name, type, string);
	return push_name(list, name, err);
}

static int add_server_cn(GENERAL_NAMES *list, const char *cn, struct err *err)
{
	unsigned char address[16];

	if (cn[0] && (parse_address(address, cn) || is_dns_name(cn)))
		return add_text(list, cn, err);
	if (sk_GENERAL_NAME_num(list))
		return 0;
	(void)err_set(err, ERR_USAGE, "the server certificate '%s' has no name", cn);
	return err_hint(err, "give it a host name or an IP address; clients compare these with "
			     "the host they connect to");
}

/*
 * The predecessor's names that text does not give back. Directory names and the like are copied;
 * what is broken (an address of five bytes) is not. Both are listed in told, so that a caller who
 * passes the predecessor's names on as text may do so.
 */
static int copy_names(GENERAL_NAMES *list, struct strs *told, const struct cert *predecessor,
		      struct err *err)
{
	GENERAL_NAMES *names = NULL;
	struct buf text;
	int rc = cert_extension((void **)&names, predecessor, NID_subject_alt_name, err);

	buf_init(&text, NAME_TEXT_MAX);
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !rc; i++) {
		GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i), *copy;
		const char *value;

		rc = name_to_text(&text, name, err);
		if (rc || classify(text.data, &value) != GEN_OTHERNAME)
			continue;
		rc = strs_add_unique(told, text.data, err);
		if (rc || name->type == GEN_DNS || name->type == GEN_IPADD ||
		    name->type == GEN_EMAIL || name->type == GEN_URI)
			continue;
		copy = GENERAL_NAME_dup(name);
		if (!copy || !sk_GENERAL_NAME_push(list, copy)) {
			GENERAL_NAME_free(copy);
			rc = err_nomem(err);
		}
	}
	buf_release(&text);
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return rc;
}

int san_build(GENERAL_NAMES **out, const struct strs *names, const char *server_cn,
	      const struct cert *predecessor, struct err *err)
{
	GENERAL_NAMES *list = sk_GENERAL_NAME_new_null(), *copied = sk_GENERAL_NAME_new_null();
	struct strs told = STRS_INIT;
	int rc = list && copied ? 0 : err_nomem(err);

	if (!rc && predecessor)
		rc = copy_names(copied, &told, predecessor, err);
	for (size_t i = 0; names && i < names->count && !rc; i++) {
		if (!strs_has(&told, names->items[i]))
			rc = add_text(list, names->items[i], err);
	}
	if (!rc && server_cn)
		rc = add_server_cn(list, server_cn, err);
	while (!rc && sk_GENERAL_NAME_num(copied)) {
		GENERAL_NAME *name = sk_GENERAL_NAME_shift(copied);

		if (!sk_GENERAL_NAME_push(list, name)) {
			GENERAL_NAME_free(name);
			rc = err_nomem(err);
		}
	}
	GENERAL_NAMES_free(copied);
	strs_release(&told);
	if (rc)
		GENERAL_NAMES_free(list);
	else
		*out = list;
	return rc;
}
