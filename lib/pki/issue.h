/* SPDX-License-Identifier: PostgreSQL */
/*
 * Issuing certificates (RFC 5280). Every one gets a random 128-bit serial, SKI and AKI, critical
 * basic constraints and key usage, and a notAfter that is never beyond its issuer's.
 */
#ifndef PKI_ISSUE_H
#define PKI_ISSUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/strs.h"
#include "base/sys.h"
#include "pki/cert.h"
#include "pki/key.h"

/* notBefore lies this far back, for hosts whose clock is behind; never before the issuer's. */
#define ISSUE_BACKDATE_S ((int64_t)3600)

/* A distinguished name: attributes in order, each an RDN of its own. */
struct dn_attr {
	char *type;  /* short name ("CN", "postalCode") or dotted OID */
	char *value; /* UTF-8 */
};

struct dn {
	struct dn_attr *items;
	size_t count;
	size_t cap;
};

#define DN_INIT                                                                                    \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

/*
 * Adds an attribute. type is a short or long name or an OID. A value may go on with further
 * attributes as chainsmith's descriptions have it ("NL/postalCode=3721 MA" for C), the style of
 * openssl's -subj; a slash that begins no "TYPE=" is a slash, and "\/" always is. ERR_USAGE for an
 * unknown type (with the nearest), an empty value or one that its type does not allow.
 */
int dn_add(struct dn *dn, const char *type, const char *value, struct err *err);
/* Replaces the (last) CN, or adds one at the end; the value is taken as it is. */
int dn_set_cn(struct dn *dn, const char *value, struct err *err);
const char *dn_cn(const struct dn *dn); /* the last CN; NULL where there is none */
int dn_copy(struct dn *out, const struct dn *in, struct err *err);
void dn_release(struct dn *dn);

struct issue_spec {
	struct sys *sys;       /* clock and random serial */
	const struct key *key; /* the new certificate's */

	/* Both NULL: self-signed, a root. */
	const struct cert *issuer;
	const struct key *issuer_key;

	/* One of the two: a list, or a predecessor whose subject is copied byte for byte,
	 * as are those names of its SAN that have no text form (directory names). */
	const struct dn *subject;
	const struct cert *subject_from;

	bool is_ca;
	int pathlen; /* CAs below a CA: 0 for one that signs leaves only; -1: no limit */

	/*
	 * SAN: "db1.example.com", "10.0.4.42", "fd00::1", "*.example.com", or as cert_names() gives
	 * them ("DNS:…", "IP:…", "email:…", "URI:…"). Duplicates are left out. A leaf with
	 * serverAuth also gets its CN as a name where the CN is a host name or address, so that no
	 * server is without a SAN; a server for which none is left is refused. A client has its
	 * user name in the CN only, as PostgreSQL reads it, and no SAN unless one is given.
	 */
	const struct strs *names;

	/*
	 * OpenSSL's short names ("digitalSignature", "serverAuth") or long ones ("Digital
	 * Signature"), ext_usages OIDs too. What the certificate has no use for is left out: by
	 * the key's type (RFC 3279, 5480, 8410: no keyEncipherment but with RSA), and keyCertSign
	 * and cRLSign of a leaf. A leaf has digitalSignature at least. NULL or empty:
	 * digitalSignature and with RSA keyEncipherment for a leaf; no extended usage. A CA always
	 * has keyCertSign and cRLSign.
	 */
	const struct strs *key_usages;
	const struct strs *ext_usages;

	int64_t not_after; /* seconds since the epoch; cut at the issuer's */

	/* Old chains have none of it; for tests of how such a chain verifies. */
	bool without_aki;
};

/*
 * Signs with SHA-256 (SHA-384 where the issuer's key is P-384; Ed25519 needs none). ERR_USAGE where
 * the description asks for what cannot be (unknown usage or name), ERR_FAIL where the issuer cannot
 * sign it (no CA, path length, expired, key of another certificate).
 */
int cert_issue(struct cert **out, const struct issue_spec *spec, struct err *err);

/* Checks lists of usages before anything is made; ERR_USAGE with the nearest valid name. */
int issue_check_usages(const struct strs *key_usages, const struct strs *ext_usages,
		       struct err *err);
/* Checks names for the SAN likewise. */
int issue_check_names(const struct strs *names, struct err *err);

#endif
