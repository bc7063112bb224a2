/* SPDX-License-Identifier: PostgreSQL */
/* What a leaf's successor would lose. */
#include "pki/internal.h"

#include <string.h>

static bool name_is_covered(const struct strs *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (!strcmp(names->items[i], name))
			return true;
		if (str_starts(names->items[i], "DNS:") && str_starts(name, "DNS:") &&
		    dns_covers(names->items[i] + 4, name + 4))
			return true;
	}
	return false;
}

static int check_names(struct findings *out, const struct cert *newer, const struct cert *older,
		       const char *subject, struct err *err)
{
	static const char advice[] = "add it to the host's names in the chain's description";
	struct strs new_names = STRS_INIT, old_names = STRS_INIT;
	const char *cn = cert_common_name(older);
	int rc = cert_names(&new_names, newer, err);

	if (!rc)
		rc = cert_names(&old_names, older, err);
	for (size_t i = 0; i < old_names.count && !rc; i++) {
		if (!name_is_covered(&new_names, old_names.items[i]))
			rc = findings_add(out, "leaf-names", SEVERITY_BLOCK, subject, advice, err,
					  "the name %s of the certificate before is missing",
					  old_names.items[i]);
	}
	/* For clients that connect to the CN and accept it, because the SAN has no such name. */
	if (!rc && host_matches(older, cn) == HOST_MATCH_CN &&
	    host_matches(newer, cn) == HOST_MATCH_NONE)
		rc = findings_add(out, "leaf-names", SEVERITY_BLOCK, subject, advice, err,
				  "clients no longer accept the host name %s, which was the CN of "
				  "the certificate before",
				  cn);
	strs_release(&new_names);
	strs_release(&old_names);
	return rc;
}

static int check_key_usages(struct findings *out, const struct cert *newer,
			    const struct cert *older, const char *subject, struct err *err)
{
	unsigned useful = usage_mask(cert_pkey_id(newer));
	struct strs new_usages = STRS_INIT, old_usages = STRS_INIT;
	int rc = cert_key_usages(&new_usages, newer, err);

	if (!rc)
		rc = cert_key_usages(&old_usages, older, err);
	for (int bit = 0; bit < USAGE_BITS && !rc && new_usages.count; bit++) {
		const char *name = usage_bit_name(bit);
		bool of_ca = bit == USAGE_BIT_KEY_CERT_SIGN || bit == USAGE_BIT_CRL_SIGN;
		bool fits = useful & 1U << bit;

		if (!strs_has(&old_usages, name) || strs_has(&new_usages, name))
			continue;
		if (of_ca)
			rc = findings_add(out, "leaf-usage", SEVERITY_INFO, subject, NULL, err,
					  "the key usage %s goes: it is for CAs", name);
		else if (fits)
			rc = findings_add(out, "leaf-usage", SEVERITY_BLOCK, subject,
					  "add it to keyUsages in the chain's description", err,
					  "the key usage %s of the certificate before is missing",
					  name);
		else
			rc = findings_add(out, "leaf-usage", SEVERITY_INFO, subject, NULL, err,
					  "the key usage %s goes: %s keys have no use for it", name,
					  cert_key_kind(newer));
	}
	strs_release(&new_usages);
	strs_release(&old_usages);
	return rc;
}

static int check_ext_usages(struct findings *out, const struct cert *newer,
			    const struct cert *older, const char *subject, struct err *err)
{
	static const char advice[] = "add it to extendedKeyUsages in the chain's description";
	struct strs new_usages = STRS_INIT, old_usages = STRS_INIT;
	char list[256];
	int rc = cert_ext_usages(&new_usages, newer, err);

	if (!rc)
		rc = cert_ext_usages(&old_usages, older, err);
	if (!rc && new_usages.count && !old_usages.count) {
		strs_join(&new_usages, 8, list, sizeof(list));
		rc = findings_add(out, "leaf-usage", SEVERITY_WARNING, subject,
				  "make sure that it is used for nothing else", err,
				  "the certificate before was good for every use; now for %s only",
				  list);
	}
	for (size_t i = 0; i < old_usages.count && !rc && new_usages.count; i++) {
		if (!strs_has(&new_usages, old_usages.items[i]))
			rc = findings_add(
				out, "leaf-usage", SEVERITY_BLOCK, subject, advice, err,
				"the extended usage %s of the certificate before is missing",
				old_usages.items[i]);
	}
	strs_release(&new_usages);
	strs_release(&old_usages);
	return rc;
}

static int check_subject(struct findings *out, const struct cert *newer, const struct cert *older,
			 const char *subject, struct err *err)
{
	const char *was = cert_subject(older), *is = cert_subject(newer);

	if (cert_same_subject(newer, older))
		return 0;
	if (!strcmp(was, is))
		return findings_add(out, "leaf-subject", SEVERITY_BLOCK, subject,
				    "issue it with the subject of the certificate before", err,
				    "the subject %s is encoded otherwise than before", is);
	return findings_add(out, "leaf-subject", SEVERITY_BLOCK, subject,
			    "issue it with the subject of the certificate before", err,
			    "the subject was %s and would be %s", was, is);
}

int cert_covers(struct findings *out, const struct cert *newer, const struct cert *older,
		const char *subject, struct err *err)
{
	int rc = check_names(out, newer, older, subject, err);

	if (!rc)
		rc = check_key_usages(out, newer, older, subject, err);
	if (!rc)
		rc = check_ext_usages(out, newer, older, subject, err);
	return rc ? rc : check_subject(out, newer, older, subject, err);
}
