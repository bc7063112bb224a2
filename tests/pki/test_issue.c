/* SPDX-License-Identifier: PostgreSQL */
#include "tests/pki/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "pki/native.h"
#include "pki/verify.h"

#define NOW  1795224600 /* 2026-11-21T01:30:00Z */
#define YEAR ((int64_t)365 * TEST_DAY)
#define NO_NAMES                                                                                   \
	{                                                                                          \
		NULL                                                                               \
	}

static int64_t fixed_now(struct sys *sys)
{
	(void)sys;
	return NOW;
}

static int fixed_random(struct sys *sys, void *out, size_t len, struct err *err)
{
	(void)err;
	memset(out, *(unsigned char *)sys->ctx, len);
	return 0;
}

static int no_random(struct sys *sys, void *out, size_t len, struct err *err)
{
	(void)sys;
	memset(out, 0, len);
	return err_set(err, ERR_FAIL, "no random bytes");
}

static unsigned char random_byte;
static struct sys sys;
static struct key *root_key, *ca_key, *leaf_key;
static struct cert *root, *ca;
static struct issue_spec spec; /* a server below ca; tests change it */
static struct strs names, key_usages, ext_usages;
static struct dn dn;

static void list(struct strs *out, const char *const *items)
{
	struct err err = {0};

	strs_release(out);
	for (size_t i = 0; i < 6 && items[i]; i++)
		ck_ok(strs_add(out, items[i], &err), &err);
}

static struct cert *issue(void)
{
	struct cert *cert = NULL;
	struct err err = {0};

	ck_ok(cert_issue(&cert, &spec, &err), &err);
	return cert;
}

static void cn(const char *value)
{
	struct err err = {0};

	ck_ok(dn_set_cn(&dn, value, &err), &err);
}

static void setup(void)
{
	struct err err = {0};

	random_byte = 0xa5;
	sys_init(&sys);
	sys.now = fixed_now;
	sys.random = fixed_random;
	sys.ctx = &random_byte;
	ck_ok(key_generate(&root_key, KEY_ECDSA_P384, &err), &err);
	ck_ok(key_generate(&ca_key, KEY_ECDSA_P256, &err), &err);
	ck_ok(key_generate(&leaf_key, KEY_ECDSA_P256, &err), &err);
	ck_ok(dn_add(&dn, "C", "NL/postalCode=3721 MA", &err), &err);
	cn("postgres");
	spec = (struct issue_spec){.sys = &sys,
				   .key = root_key,
				   .subject = &dn,
				   .is_ca = true,
				   .pathlen = 1,
				   .not_after = NOW + 10 * YEAR};
	root = issue();
	cn("server");
	spec.key = ca_key;
	spec.issuer = root;
	spec.issuer_key = root_key;
	spec.pathlen = 0;
	ca = issue();
	cn("db1.example.com");
	list(&ext_usages, (const char *const[]){"serverAuth", NULL});
	spec = (struct issue_spec){.sys = &sys,
				   .key = leaf_key,
				   .issuer = ca,
				   .issuer_key = ca_key,
				   .subject = &dn,
				   .names = &names,
				   .key_usages = &key_usages,
				   .ext_usages = &ext_usages,
				   .not_after = NOW + YEAR};
	test_mkdir();
}

static void teardown(void)
{
	test_rmdir();
	strs_release(&names);
	strs_release(&key_usages);
	strs_release(&ext_usages);
	dn_release(&dn);
	cert_free(ca);
	cert_free(root);
	key_free(root_key);
	key_free(ca_key);
	key_free(leaf_key);
}

static void expect_list(const struct cert *cert,
			int (*get)(struct strs *, const struct cert *, struct err *),
			const char *expected)
{
	struct strs got = STRS_INIT;
	struct err err = {0};
	char text[1024];

	ck_ok(get(&got, cert, &err), &err);
	strs_join(&got, 20, text, sizeof(text));
	ck_assert_str_eq(text, expected);
	strs_release(&got);
}

/* What the openssl program says of a certificate. */
static void dump(char *out, size_t size, struct cert *cert)
{
	char *path = write_certs("c.pem", &cert, 1);
	const char *argv[] = {"openssl", "x509", "-noout", "-text", "-nameopt",
			      "oneline", "-in",	 path,	   NULL};

	ck_assert_int_eq(run_openssl(out, size, argv), 0);
	free(path);
}

START_TEST(a_server_leaf_as_openssl_shows_it)
{
	struct cert *cert;
	char text[8192];

	list(&names,
	     (const char *const[]){"10.0.4.42", "db1.example.com", "fd00::1", "*.db.lan", NULL});
	list(&key_usages, (const char *const[]){"keyEncipherment", "dataEncipherment",
						"digitalSignature", NULL});
	cert = issue();
	dump(text, sizeof(text), cert);
	ck_contains(text, "Version: 3 (0x2)");
	ck_contains(text, "a5:a5:a5:a5:a5:a5:a5:a5:a5:a5:a5:a5:a5:a5:a5:a5\n");
	ck_contains(text, "Signature Algorithm: ecdsa-with-SHA256");
	ck_contains(text, "Issuer: C = NL, postalCode = 3721 MA, CN = server\n");
	ck_contains(text, "Subject: C = NL, postalCode = 3721 MA, CN = db1.example.com\n");
	ck_contains(text, "Not Before: Nov 21 00:30:00 2026 GMT");
	ck_contains(text, "Not After : Nov 21 01:30:00 2027 GMT");
	ck_contains(text, "X509v3 Basic Constraints: critical\n                CA:FALSE\n");
	ck_contains(text, "X509v3 Key Usage: critical\n                Digital Signature\n");
	ck_contains(text, "X509v3 Extended Key Usage: \n                "
			  "TLS Web Server Authentication\n");
	ck_contains(text, "DNS:db1.example.com, IP Address:FD00:0:0:0:0:0:0:1, DNS:*.db.lan\n");
	ck_contains(text, "IP Address:10.0.4.42, ");
	ck_contains(text, "X509v3 Subject Key Identifier");
	ck_contains(text, "X509v3 Authority Key Identifier");
	cert_free(cert);
}
END_TEST

START_TEST(authorities_as_openssl_shows_them)
{
	char text[8192];

	dump(text, sizeof(text), root);
	ck_contains(text, "CA:TRUE, pathlen:1");
	ck_contains(text, "Signature Algorithm: ecdsa-with-SHA384");
	dump(text, sizeof(text), ca);
	ck_contains(text, "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0");
	ck_contains(text, "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign");
	ck_assert_ptr_null(strstr(text, "Extended Key Usage"));
	ck_assert_ptr_null(strstr(text, "Alternative Name"));
	ck_assert(cert_is_ca(root) && cert_is_ca(ca));
	ck_assert(cert_is_self_issued(root) && !cert_is_self_issued(ca));
	ck_assert_int_eq(cert_pathlen(root), 1);
	ck_assert_int_eq(cert_pathlen(ca), 0);
	ck_assert(cert_has_aki(root) && cert_has_ski(root) && cert_has_aki(ca));
	ck_assert(cert_issued_by(ca, root) && cert_issued_by(root, root));
	ck_assert(!cert_issued_by(root, ca));
	ck_assert_str_eq(cert_signature_digest(root), "sha384");
}
END_TEST

START_TEST(what_is_read_from_a_leaf)
{
	struct cert *cert;

	random_byte = 0xff;
	cert = issue();
	ck_assert_str_eq(cert_serial_hex(cert), "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF");
	ck_assert_str_eq(cert_serial_decimal(cert), "340282366920938463463374607431768211455");
	ck_assert_str_eq(cert_subject(cert), "C=NL, postalCode=3721 MA, CN=db1.example.com");
	ck_assert_str_eq(cert_issuer(cert), "C=NL, postalCode=3721 MA, CN=server");
	ck_assert_str_eq(cert_common_name(cert), "db1.example.com");
	ck_assert_str_eq(cert_key_kind(cert), "ECDSA P-256");
	ck_assert_int_eq(cert_key_bits(cert), 256);
	ck_assert_int_eq(cert_key_algorithm(cert), KEY_ECDSA_P256);
	ck_assert_str_eq(cert_signature_digest(cert), "sha256");
	ck_assert_uint_eq(strlen(cert_fingerprint(cert)), 64);
	ck_assert(!cert_is_ca(cert));
	ck_assert_int_eq(cert_pathlen(cert), -1);
	ck_assert(key_matches(leaf_key, cert) && !key_matches(ca_key, cert));
	ck_assert_int_eq(cert_not_before(cert), NOW - ISSUE_BACKDATE_S);
	ck_assert_int_eq(cert_validity(cert, NOW), CERT_VALID);
	ck_assert_int_eq(cert_validity(cert, NOW - ISSUE_BACKDATE_S - 1), CERT_NOT_YET);
	ck_assert_int_eq(cert_validity(cert, NOW + YEAR), CERT_VALID);
	ck_assert_int_eq(cert_validity(cert, NOW + YEAR + 1), CERT_EXPIRED);
	cert_free(cert);
}
END_TEST

START_TEST(serials_are_random)
{
	struct cert *one, *two;

	sys.random = (struct sys){0}.random;
	sys_init(&sys);
	sys.now = fixed_now;
	one = issue();
	two = issue();
	ck_assert_str_ne(cert_serial_hex(one), cert_serial_hex(two));
	ck_assert_uint_ge(strlen(cert_serial_hex(one)), 24);
	cert_free(one);
	cert_free(two);
}
END_TEST

static const struct {
	const char *cn;
	const char *ext_usage;
	const char *names[6];
	const char *expected;
} san_rows[] = {
	{"db1.example.com", "serverAuth", NO_NAMES, "DNS:db1.example.com"},
	{"db2.example.com", "serverAuth", {"10.0.4.43"}, "IP:10.0.4.43, DNS:db2.example.com"},
	{"10.0.4.43", "serverAuth", NO_NAMES, "IP:10.0.4.43"},
	{"Our database", "serverAuth", {"db1"}, "DNS:db1"},
	{"db1.example.com",
	 "serverAuth",
	 {"DB1.example.com", "db1.EXAMPLE.com", "10.0.0.1", "IP:10.0.0.1"},
	 "DNS:DB1.example.com, IP:10.0.0.1"},
	{"db1.example.com",
	 "TLS Web Server Authentication",
	 {"DNS:an old name", "email:dba@example.com", "URI:spiffe://db1", "IP:fd00::0:1"},
	 "DNS:an old name, email:dba@example.com, URI:spiffe://db1, IP:fd00::1, "
	 "DNS:db1.example.com"},
	{"*.example.com", "serverAuth", NO_NAMES, "DNS:*.example.com"},
	{"postgres", "clientAuth", NO_NAMES, ""},
	{"postgres", "clientAuth", {"app1.example.com"}, "DNS:app1.example.com"},
};

START_TEST(names_of_the_san)
{
	struct cert *cert;

	cn(san_rows[_i].cn);
	list(&names, san_rows[_i].names);
	list(&ext_usages, (const char *const[]){san_rows[_i].ext_usage, NULL});
	cert = issue();
	expect_list(cert, cert_names, san_rows[_i].expected);
	cert_free(cert);
}
END_TEST

static const struct {
	enum key_alg alg;
	const char *asked[6];
	const char *expected;
} usage_rows[] = {
	{KEY_RSA2048, NO_NAMES, "digitalSignature, keyEncipherment"},
	{KEY_ECDSA_P256, NO_NAMES, "digitalSignature"},
	{KEY_ED25519, NO_NAMES, "digitalSignature"},
	{KEY_RSA2048,
	 {"keyEncipherment", "dataEncipherment", "keyAgreement"},
	 "digitalSignature, keyEncipherment, dataEncipherment"},
	{KEY_ECDSA_P256,
	 {"Key Encipherment", "dataEncipherment", "keyAgreement", "nonRepudiation"},
	 "digitalSignature, nonRepudiation, keyAgreement"},
	{KEY_ECDSA_P256, {"keyCertSign", "cRLSign"}, "digitalSignature"},
	{KEY_ED25519, {"keyEncipherment", "keyAgreement"}, "digitalSignature"},
};

START_TEST(key_usages_fit_the_key)
{
	struct key *key = NULL;
	struct cert *cert;
	struct err err = {0};

	ck_ok(key_generate(&key, usage_rows[_i].alg, &err), &err);
	spec.key = key;
	list(&key_usages, usage_rows[_i].asked);
	cert = issue();
	expect_list(cert, cert_key_usages, usage_rows[_i].expected);
	cert_free(cert);
	key_free(key);
}
END_TEST

START_TEST(extended_usages_are_taken_over)
{
	struct cert *cert;

	list(&ext_usages,
	     (const char *const[]){"serverAuth", "TLS Web Client Authentication", "clientAuth",
				   "1.3.6.1.5.5.7.3.17", "nsSGC", "1.2.3.4.5.6"});
	cert = issue();
	expect_list(cert, cert_ext_usages, "serverAuth, clientAuth, ipsecIKE, nsSGC, 1.2.3.4.5.6");
	cert_free(cert);
}
END_TEST

START_TEST(unknown_usages_and_names_are_refused)
{
	struct cert *cert = NULL;
	struct err err = {0};

	list(&key_usages, (const char *const[]){"digitalSignatur", NULL});
	ck_assert_int_eq(cert_issue(&cert, &spec, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "'digitalSignatur' is no key usage");
	ck_assert_str_eq(err.hint, "did you mean digitalSignature?");
	ck_assert_int_eq(issue_check_usages(&key_usages, NULL, &err), ERR_USAGE);
	list(&key_usages, (const char *const[]){NULL});
	list(&ext_usages, (const char *const[]){"clientAuth", "serverauth", NULL});
	ck_assert_int_eq(cert_issue(&cert, &spec, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "'serverauth' is no extended key usage");
	ck_assert_str_eq(err.hint, "did you mean serverAuth?");
	list(&ext_usages, (const char *const[]){"aes-128-cbc", NULL});
	ck_assert_int_eq(issue_check_usages(NULL, &ext_usages, &err), ERR_USAGE);
	list(&ext_usages, (const char *const[]){"serverAuth", NULL});
	ck_ok(issue_check_usages(NULL, &ext_usages, &err), &err);
	cn("Our database");
	ck_assert_int_eq(cert_issue(&cert, &spec, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "the server certificate 'Our database' has no name");
	ck_assert_ptr_null(cert);
}
END_TEST

static const char *const bad_names[] = {
	"",	   "db1,IP:1.2.3.4", "db 1", "-x y",   "db1..lan",   ".lan",   "lan.",	    "*",
	"a.*.lan", "IP:10.0.0",	     "DNS:", "zoë.nl", "10.0.0.0/8", "db1\nx", "dirName:x",
};

START_TEST(bad_names_are_refused)
{
	struct cert *cert = NULL;
	struct err err = {0};

	list(&names, (const char *const[]){bad_names[_i], NULL});
	ck_assert_int_eq(cert_issue(&cert, &spec, &err), ERR_USAGE);
	ck_contains(err.msg, "is neither a host name nor an IP address");
	ck_contains(err.hint, "punycode");
	ck_assert_int_eq(issue_check_names(&names, &err), ERR_USAGE);
	ck_assert_ptr_null(cert);
}
END_TEST

START_TEST(validity_stays_within_the_issuers)
{
	struct cert *cert;
	struct err err = {0};

	spec.not_after = NOW + 20 * YEAR;
	cert = issue();
	ck_assert_int_eq(cert_not_after(cert), cert_not_after(ca));
	cert_free(cert);
	cert = NULL;
	spec.not_after = NOW;
	ck_assert_int_eq(cert_issue(&cert, &spec, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "db1.example.com: it would have expired already");
	/* beyond 2049 the form of the time changes (RFC 5280 4.1.2.5) */
	spec = (struct issue_spec){.sys = &sys,
				   .key = root_key,
				   .subject = &dn,
				   .is_ca = true,
				   .pathlen = -1,
				   .not_after = NOW + 40 * YEAR};
	cert = issue();
	ck_assert_int_eq(cert_not_after(cert), NOW + 40 * YEAR);
	ck_assert_int_eq(cert_pathlen(cert), -1);
	cert_free(cert);
}
END_TEST

START_TEST(issuers_that_cannot_sign_are_refused)
{
	struct cert *leaf = issue(), *cert = NULL;
	struct err err = {0};

	spec.issuer_key = root_key;
	ck_assert_int_eq(cert_issue(&cert, &spec, &err), ERR_FAIL);
	ck_contains(err.msg, "the issuer's key does not belong to");
	spec.issuer_key = NULL;
	ck_assert_int_eq(cert_issue(&cert, &spec, &err), ERR_USAGE);
	ck_contains(err.msg, "needs both certificate and key");
	spec.issuer = leaf;
	spec.issuer_key = leaf_key;
	ck_assert_int_eq(cert_issue(&cert, &spec, &err), ERR_FAIL);
	ck_contains(err.msg, "is no CA");
	spec.issuer = ca;
	spec.issuer_key = ca_key;
	spec.is_ca = true;
	ck_assert_int_eq(cert_issue(&cert, &spec, &err), ERR_FAIL);
	ck_contains(err.msg, "the path length of its issuer");
	spec.issuer = NULL;
	spec.issuer_key = NULL;
	spec.is_ca = false;
	ck_assert_int_eq(cert_issue(&cert, &spec, &err), ERR_USAGE);
	ck_contains(err.msg, "only a CA may sign itself");
	cert_free(leaf);
}
END_TEST

START_TEST(bad_subjects_are_refused)
{
	struct dn empty = DN_INIT;
	struct cert *cert = NULL;
	struct err err = {0};

	spec.subject = &empty;
	ck_assert_int_eq(cert_issue(&cert, &spec, &err), ERR_USAGE);
	ck_contains(err.msg, "subject is empty");
	spec.subject = NULL;
	ck_assert_int_eq(cert_issue(&cert, &spec, &err), ERR_USAGE);
	ck_contains(err.msg, "give either a subject or a predecessor");
	spec.subject = &dn;
	cn("server");
	ck_assert_int_eq(cert_issue(&cert, &spec, &err), ERR_USAGE);
	ck_contains(err.msg, "would be the same as its issuer's");
	cn("db1.example.com");
	sys.random = no_random;
	ck_assert_int_eq(cert_issue(&cert, &spec, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "no random bytes");
	random_byte = 0;
	sys.random = fixed_random;
	ck_assert_int_eq(cert_issue(&cert, &spec, &err), ERR_FAIL);
	ck_contains(err.msg, "zeroes only");
}
END_TEST

/* A certificate by the openssl program, with string types that certrotate itself never uses. */
static struct cert *foreign_cert(const char *extensions)
{
	char *conf = str_fmt("[req]\ndistinguished_name=d\nprompt=no\nstring_mask=default\n"
			     "x509_extensions=e\n[d]\nC=NL\nO=Acme\nCN=app user\n[e]\n"
			     "extendedKeyUsage=clientAuth\n%s\n[dir]\nCN=a directory\n",
			     extensions);
	char *config = test_path("req.cnf"), *key = test_path("k.pem"), *path = test_path("r.pem");
	const char *argv[] = {"openssl", "req",	    "-x509", "-newkey", "ed25519",
			      "-nodes",	 "-config", config,  "-keyout", key,
			      "-out",	 path,	    NULL};
	struct cert *cert = NULL;
	struct err err = {0};
	char out[4096], *text;
	size_t len;

	test_write(config, conf);
	ck_assert_msg(run_openssl(out, sizeof(out), argv) == 0, "%s", out);
	text = test_read(path, &len);
	ck_ok(cert_from_pem(&cert, text, len, "r.pem", &err), &err);
	free(text);
	free(conf);
	free(config);
	free(key);
	free(path);
	return cert;
}

START_TEST(a_predecessors_odd_names_are_kept)
{
	struct cert *older = foreign_cert(
		"subjectAltName=DNS:app.lan,RID:1.2.3.4,dirName:dir,otherName:1.2.3.4;UTF8:me,"
		"IP:10.0.0.1\nkeyUsage=digitalSignature,keyCertSign");
	struct findings found = FINDINGS_INIT;
	struct cert *newer;
	struct err err = {0};

	spec.subject = NULL;
	spec.subject_from = older;
	ck_ok(cert_names(&names, older, &err), &err);
	ck_assert_uint_eq(names.count, 5);
	list(&ext_usages, (const char *const[]){"clientAuth", NULL});
	newer = issue();
	ck_ok(cert_covers(&found, newer, older, "client app", &err), &err);
	ck_assert_uint_eq(found.count, 1);
	ck_assert_str_eq(found.items[0].reason, "the key usage keyCertSign goes: it is for CAs");
	ck_assert_int_eq(found.items[0].severity, SEVERITY_INFO);
	expect_list(newer, cert_names,
		    "DNS:app.lan, IP:10.0.0.1, Registered ID:1.2.3.4, DirName:CN = a directory, "
		    "other:a00b06032a0304a0040c026d65");
	findings_release(&found);
	cert_free(older);
	cert_free(newer);
}
END_TEST

START_TEST(unreadable_extensions_are_told)
{
	struct cert *cert = foreign_cert("subjectAltName=DER:05:00\nkeyUsage=DER:05:00");
	struct err err = {0};

	ck_assert_int_eq(cert_names(&names, cert, &err), ERR_FAIL);
	ck_contains(err.msg, "C=NL, O=Acme, CN=app user: the extension 'X509v3 Subject Alternative "
			     "Name' cannot be read: ");
	ck_assert_int_eq(cert_key_usages(&key_usages, cert, &err), ERR_FAIL);
	ck_contains(err.msg, "'X509v3 Key Usage'");
	cert_free(cert);
}
END_TEST

START_TEST(broken_addresses_are_not_taken_over)
{
	/* a SAN with an address of five bytes, with which libpq refuses the certificate */
	struct cert *older = foreign_cert("subjectAltName=DER:30:07:87:05:01:02:03:04:05");
	struct cert *newer;
	struct err err = {0};

	spec.subject_from = older;
	spec.subject = NULL;
	ck_ok(cert_names(&names, older, &err), &err);
	ck_assert_str_eq(names.items[0], "IP:invalid (5 bytes)");
	ck_assert_int_eq(host_matches(older, "app user"), HOST_MATCH_NONE);
	list(&ext_usages, (const char *const[]){"clientAuth", NULL});
	newer = issue();
	expect_list(newer, cert_names, "");
	ck_assert_int_eq(host_matches(newer, "app user"), HOST_MATCH_CN);
	cert_free(older);
	cert_free(newer);
}
END_TEST

START_TEST(a_predecessors_subject_is_copied)
{
	struct cert *foreign = foreign_cert(""), *copied, *made;
	struct dn same = DN_INIT;
	struct err err = {0};

	list(&ext_usages, (const char *const[]){"clientAuth", NULL});
	spec.subject = NULL;
	spec.subject_from = foreign;
	copied = issue();
	ck_ok(dn_add(&same, "C", "NL/O=Acme/CN=app user", &err), &err);
	spec.subject_from = NULL;
	spec.subject = &same;
	made = issue();
	ck_assert(cert_same_subject(copied, foreign));
	ck_assert_str_eq(cert_common_name(copied), "app user");
	/* the same text, but UTF8String instead of PrintableString */
	ck_assert_str_eq(cert_subject(made), cert_subject(foreign));
	ck_assert(!cert_same_subject(made, foreign));
	cert_free(foreign);
	cert_free(copied);
	cert_free(made);
	dn_release(&same);
}
END_TEST

START_TEST(every_kind_of_key_signs)
{
	static const struct {
		enum key_alg alg;
		const char *digest;
	} rows[] = {{KEY_RSA2048, "sha256"}, {KEY_ECDSA_P384, "sha384"}, {KEY_ED25519, "none"}};
	struct cert *self, *leaf;
	struct key *key = NULL;
	struct err err = {0};

	ck_ok(key_generate(&key, rows[_i].alg, &err), &err);
	cn("another");
	spec.is_ca = true;
	spec.issuer = NULL;
	spec.issuer_key = NULL;
	spec.key = key;
	list(&ext_usages, (const char *const[]){NULL});
	self = issue();
	ck_assert_str_eq(cert_signature_digest(self), rows[_i].digest);
	spec.is_ca = false;
	spec.issuer = self;
	spec.issuer_key = key;
	spec.key = leaf_key;
	cn("db1");
	leaf = issue();
	ck_assert(cert_issued_by(leaf, self));
	cert_free(leaf);
	cert_free(self);
	key_free(key);
}
END_TEST

/* However it gets there: the public key is byte for byte what OpenSSL writes for the key. */
START_TEST(a_public_key_is_as_openssl_writes_it)
{
	unsigned char *written = NULL, *held = NULL;
	struct key *key = NULL;
	struct err err = {0};
	struct cert *cert;
	int len;

	ck_ok(key_generate(&key, (enum key_alg)_i, &err), &err);
	spec.key = key;
	cert = issue();
	len = i2d_PUBKEY(key_native(key), &written);
	ck_assert_int_gt(len, 0);
	ck_assert_int_eq(i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert_native(cert)), &held), len);
	ck_assert_mem_eq(held, written, (size_t)len);
	ck_assert(key_matches(key, cert));
	OPENSSL_free(written);
	OPENSSL_free(held);
	cert_free(cert);
	key_free(key);
}
END_TEST

START_TEST(the_aki_is_left_out_when_asked)
{
	struct cert *cert;

	spec.without_aki = true;
	cert = issue();
	ck_assert(!cert_has_aki(cert));
	ck_assert(cert_has_ski(cert));
	cert_free(cert);
}
END_TEST

START_TEST(references_are_counted)
{
	struct cert *cert = issue(), *same = cert_ref(cert);

	cert_free(cert);
	ck_assert_str_eq(cert_common_name(same), "db1.example.com");
	cert_free(same);
	cert_free(NULL);
}
END_TEST

Suite *issue_suite(void)
{
	Suite *suite = suite_create("issue");
	TCase *tcase = tcase_create("issue");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_server_leaf_as_openssl_shows_it);
	tcase_add_test(tcase, authorities_as_openssl_shows_them);
	tcase_add_test(tcase, what_is_read_from_a_leaf);
	tcase_add_test(tcase, serials_are_random);
	tcase_add_loop_test(tcase, names_of_the_san, 0, ROWS(san_rows));
	tcase_add_loop_test(tcase, key_usages_fit_the_key, 0, ROWS(usage_rows));
	tcase_add_test(tcase, extended_usages_are_taken_over);
	tcase_add_test(tcase, unknown_usages_and_names_are_refused);
	tcase_add_loop_test(tcase, bad_names_are_refused, 0, ROWS(bad_names));
	tcase_add_test(tcase, validity_stays_within_the_issuers);
	tcase_add_test(tcase, issuers_that_cannot_sign_are_refused);
	tcase_add_test(tcase, bad_subjects_are_refused);
	tcase_add_test(tcase, a_predecessors_subject_is_copied);
	tcase_add_test(tcase, a_predecessors_odd_names_are_kept);
	tcase_add_test(tcase, unreadable_extensions_are_told);
	tcase_add_test(tcase, broken_addresses_are_not_taken_over);
	tcase_add_loop_test(tcase, every_kind_of_key_signs, 0, 3);
	tcase_add_loop_test(tcase, a_public_key_is_as_openssl_writes_it, 0, KEY_ALG__MAX);
	tcase_add_test(tcase, the_aki_is_left_out_when_asked);
	tcase_add_test(tcase, references_are_counted);
	suite_add_tcase(suite, tcase);
	return suite;
}
