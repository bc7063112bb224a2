/* SPDX-License-Identifier: PostgreSQL */
/* Distinguished names as lists, and how they become X.509 names. */
#include "pki/internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>

/* RFC 5280 appendix A, RFC 4519, and the CA/Browser Forum's; OpenSSL's short names. */
static const char *const types[] = {
	"C",
	"ST",
	"L",
	"O",
	"OU",
	"CN",
	"postalCode",
	"street",
	"serialNumber",
	"emailAddress",
	"SN",
	"GN",
	"initials",
	"title",
	"DC",
	"UID",
	"dnQualifier",
	"name",
	"pseudonym",
	"generationQualifier",
	"description",
	"businessCategory",
	"telephoneNumber",
	"postalAddress",
	"houseIdentifier",
	"organizationIdentifier",
	"unstructuredName",
	"jurisdictionL",
	"jurisdictionST",
	"jurisdictionC",
};

#define TYPES (sizeof(types) / sizeof(types[0]))

/* The short name, or the OID as it is; NULL for what is neither. */
static const char *find_type(const char *name)
{
	for (size_t i = 0; i < TYPES; i++) {
		int nid = OBJ_sn2nid(types[i]);

		if (nid != NID_undef && (!strcmp(name, types[i]) || !strcmp(name, OBJ_nid2ln(nid))))
			return types[i];
	}
	if (isdigit((unsigned char)name[0]) && strchr(name, '.') &&
	    name[strspn(name, "0123456789.")] == '\0')
		return name;
	return NULL;
}

static int unknown_type(const char *name, struct err *err)
{
	const char *nearest = str_nearest(name, types, TYPES);

	(void)err_set(err, ERR_USAGE, "'%s' is no attribute of a subject", name);
	if (nearest)
		return err_hint(err, "did you mean %s?", nearest);
	return err_hint(err, "use C, ST, L, O, OU, CN, postalCode, emailAddress…, or a dotted OID; "
			     "write \\/ for a slash inside a value");
}

static int add_entry(X509_NAME *name, const char *type, const char *value, struct err *err)
{
	const ASN1_STRING_TABLE *rule;

	if (X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, (const unsigned char *)value, -1,
				       -1, 0))
		return 0;
	rule = ASN1_STRING_TABLE_get(OBJ_txt2nid(type));
	(void)err_set(err, ERR_USAGE, "subject: %s '%.200s': %s", type, value,
		      ossl_reason("not allowed"));
	if (rule && rule->minsize > 0 && rule->minsize == rule->maxsize)
		return err_hint(err, "%s has exactly %ld characters", type, rule->maxsize);
	if (rule && rule->maxsize > 0)
		return err_hint(err, "%s has at most %ld characters", type, rule->maxsize);
	return ERR_USAGE;
}

static int check_value(const char *type, const char *value, struct err *err)
{
	X509_NAME *name;
	int rc;

	if (!value[0]) {
		(void)err_set(err, ERR_USAGE, "subject: %s is empty", type);
		return err_hint(err, "leave it out");
	}
	name = X509_NAME_new();
	rc = name ? add_entry(name, type, value, err) : err_nomem(err);
	X509_NAME_free(name);
	return rc;
}

static int push(struct dn *dn, const char *type, const char *value, struct err *err)
{
	struct dn_attr attr;
	int rc = check_value(type, value, err);

	if (rc)
		return rc;
	if (dn->count == dn->cap) {
		size_t cap = dn->cap ? dn->cap * 2 : 8;
		struct dn_attr *items = realloc(dn->items, cap * sizeof(*items));

		if (!items)
			return err_nomem(err);
		dn->items = items;
		dn->cap = cap;
	}
	attr = (struct dn_attr){strdup(type), strdup(value)};
	if (!attr.type || !attr.value) {
		free(attr.type);
		free(attr.value);
		return err_nomem(err);
	}
	dn->items[dn->count++] = attr;
	return 0;
}

/* At a slash: the length of "TYPE" in "/TYPE=", or 0 where the slash begins no attribute. */
static size_t type_after(const char *slash)
{
	size_t len = 0;

	while (isalnum((unsigned char)slash[1 + len]) || slash[1 + len] == '.')
		len++;
	return slash[1 + len] == '=' ? len : 0;
}

/* Copies up to the next attribute into value, without the backslashes; returns where it ends. */
static const char *take_value(char *value, const char *text)
{
	while (*text && !(*text == '/' && type_after(text))) {
		if (text[0] == '\\' && (text[1] == '/' || text[1] == '\\'))
			text++;
		*value++ = *text++;
	}
	*value = '\0';
	return text;
}

static int add_all(struct dn *dn, const char *type, const char *rest, char *scratch,
		   struct err *err)
{
	char next[64];
	int rc = 0;

	while (!rc) {
		const char *known = find_type(type);
		size_t len;

		rest = take_value(scratch, rest);
		rc = known ? push(dn, known, scratch, err) : unknown_type(type, err);
		if (rc || !*rest)
			break;
		len = type_after(rest);
		if (len >= sizeof(next))
			return err_set(err, ERR_USAGE, "subject: the attribute '%.60s…' is unknown",
				       rest + 1);
		memcpy(next, rest + 1, len);
		next[len] = '\0';
		type = next;
		rest += len + 2;
	}
	return rc;
}

static void truncate_to(struct dn *dn, size_t count)
{
	while (dn->count > count) {
		struct dn_attr *attr = &dn->items[--dn->count];

		free(attr->type);
		free(attr->value);
	}
	if (count == 0) {
		free(dn->items);
		*dn = (struct dn)DN_INIT;
	}
}

int dn_add(struct dn *dn, const char *type, const char *value, struct err *err)
{
	char *scratch = malloc(strlen(value) + 1);
	size_t before = dn->count;
	int rc;

	if (!scratch)
		return err_nomem(err);
	rc = add_all(dn, type, value, scratch, err);
	if (rc)
		truncate_to(dn, before);
	free(scratch);
	return rc;
}

static struct dn_attr *last_cn(const struct dn *dn)
{
	for (size_t i = dn->count; i-- > 0;) {
		if (!strcmp(dn->items[i].type, "CN"))
			return &dn->items[i];
	}
	return NULL;
}

int dn_set_cn(struct dn *dn, const char *value, struct err *err)
{
	struct dn_attr *attr = last_cn(dn);
	char *copy;
	int rc;

	if (!attr)
		return push(dn, "CN", value, err);
	rc = check_value("CN", value, err);
	if (rc)
		return rc;
	copy = strdup(value);
	if (!copy)
		return err_nomem(err);
	free(attr->value);
	attr->value = copy;
	return 0;
}

const char *dn_cn(const struct dn *dn)
{
	const struct dn_attr *attr = last_cn(dn);

	return attr ? attr->value : NULL;
}

int dn_copy(struct dn *out, const struct dn *in, struct err *err)
{
	size_t before = out->count;
	int rc = 0;

	for (size_t i = 0; i < in->count && !rc; i++)
		rc = push(out, in->items[i].type, in->items[i].value, err);
	if (rc)
		truncate_to(out, before);
	return rc;
}

void dn_release(struct dn *dn)
{
	truncate_to(dn, 0);
}

int dn_to_name(X509_NAME **out, const struct dn *dn, struct err *err)
{
	X509_NAME *name = X509_NAME_new();
	int rc = name ? 0 : err_nomem(err);

	for (size_t i = 0; i < dn->count && !rc; i++)
		rc = add_entry(name, dn->items[i].type, dn->items[i].value, err);
	if (rc)
		X509_NAME_free(name);
	else
		*out = name;
	return rc;
}
