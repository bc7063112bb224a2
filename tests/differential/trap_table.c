/* SPDX-License-Identifier: PostgreSQL */
/* How each trap is made, what the proof says of it, and what PostgreSQL and libpq do then. */
#include <stdlib.h>
#include <string.h>

#include "tests/differential/traps.h"
#include "tests/support/support.h"

static struct forge_spec *spec(struct scene *scene, enum scene_rank rank)
{
	return &scene->specs[PROOF_NEW][rank];
}

/* ---- how each trap is made */

static void twins(struct scene *scene)
{
	for (size_t r = 0; r < RANK_LEAF; r++)
		scene->specs[PROOF_NEW][r].dn = scene->specs[PROOF_OLD][r].dn;
}

static void twins_without_aki(struct scene *scene)
{
	twins(scene);
	for (size_t g = 0; g < PROOF__MAX; g++)
		for (size_t r = 0; r < RANK__MAX; r++)
			scene->specs[g][r].aki = AKI_NONE;
}

static void both_new_first(struct scene *scene)
{
	scene_bundle_both(scene, PROOF_NEW);
}

static void both_old_first(struct scene *scene)
{
	scene_bundle_both(scene, PROOF_OLD);
}

/* "-----END CERTIFICATE----------BEGIN CERTIFICATE-----" */
static void glue(char *text)
{
	char *at = strstr(text, "-----\n-----");

	ck_assert_ptr_nonnull(at);
	memmove(at + 5, at + 6, strlen(at + 6) + 1);
}

static void glued_bundle(struct scene *scene)
{
	glue(scene->bundle);
}

static void glued_leaf(struct scene *scene)
{
	scene_replace(&scene->leaf[PROOF_NEW],
		      forge_join(scene->leaf[PROOF_NEW], scene->made[PROOF_NEW][RANK_CA].pem,
				 (char *)NULL));
	glue(scene->leaf[PROOF_NEW]);
}

static void other_key(struct scene *scene)
{
	scene_replace(&scene->key[PROOF_NEW], forge_key_pem(scene_spare(SPARE_P256)));
}

static void short_lived_ca(struct scene *scene)
{
	spec(scene, RANK_CA)->from = -FORGE_DAY;
	spec(scene, RANK_CA)->until = TRAP_LIFE_S;
}

static void root_only(struct scene *scene)
{
	scene_replace(&scene->bundle, strdup(scene->made[PROOF_NEW][RANK_ROOT].pem));
}

static void ca_only(struct scene *scene)
{
	scene_replace(&scene->bundle, strdup(scene->made[PROOF_NEW][RANK_CA].pem));
}

static void ca_sent_along(struct scene *scene)
{
	root_only(scene);
	scene_replace(&scene->leaf[PROOF_NEW],
		      forge_join(scene->leaf[PROOF_NEW], scene->made[PROOF_NEW][RANK_CA].pem,
				 (char *)NULL));
}

static void no_names(struct scene *scene)
{
	spec(scene, RANK_LEAF)->names = NULL;
}

static void alias_lost(struct scene *scene)
{
	scene->specs[PROOF_OLD][RANK_LEAF].names = "DNS:" BED_HOST ",DNS:" BED_ALIAS;
}

static void usage_lost(struct scene *scene)
{
	scene->specs[PROOF_OLD][RANK_LEAF].ext_usage = "serverAuth,clientAuth";
	spec(scene, RANK_LEAF)->dn = scene->specs[PROOF_OLD][RANK_LEAF].dn = "O=Acme/CN=" BED_USER;
}

static void subject_lost(struct scene *scene)
{
	scene->specs[PROOF_OLD][RANK_LEAF].dn = "O=Acme/CN=carol";
	spec(scene, RANK_LEAF)->dn = "O=Acme B.V./CN=carol";
}

static void other_cn(struct scene *scene)
{
	spec(scene, RANK_LEAF)->dn = "O=Acme/CN=alison";
}

static void extended_usage_of_the_other(struct scene *scene)
{
	spec(scene, RANK_LEAF)->ext_usage = scene->purpose == VERIFY_SERVER ? "clientAuth"
									    : "serverAuth";
}

static void key_usage_of_a_ca(struct scene *scene)
{
	spec(scene, RANK_LEAF)->usage = "critical,keyCertSign";
}

static void key_usage_encipherment(struct scene *scene)
{
	spec(scene, RANK_LEAF)->usage = "critical,keyEncipherment";
}

static void ca_of_the_other_purpose(struct scene *scene)
{
	spec(scene, RANK_CA)->ext_usage = scene->purpose == VERIFY_SERVER ? "clientAuth"
									  : "serverAuth";
}

static void ca_is_no_ca(struct scene *scene)
{
	spec(scene, RANK_CA)->basic = "critical,CA:FALSE";
}

static void ca_may_not_sign(struct scene *scene)
{
	spec(scene, RANK_CA)->usage = "critical,cRLSign";
}

static void path_length(struct scene *scene)
{
	spec(scene, RANK_ROOT)->basic = "critical,CA:TRUE,pathlen:0";
}

static void sha1_leaf(struct scene *scene)
{
	spec(scene, RANK_LEAF)->digest = "SHA1";
}

static void sha1_ca(struct scene *scene)
{
	spec(scene, RANK_CA)->digest = "SHA1";
}

static void short_leaf(struct scene *scene)
{
	spec(scene, RANK_LEAF)->key = scene_spare(SPARE_RSA1024);
}

static void short_ca(struct scene *scene)
{
	spec(scene, RANK_CA)->key = scene_spare(SPARE_RSA1024);
}

static void ed25519_ca(struct scene *scene)
{
	spec(scene, RANK_CA)->key = scene_spare(SPARE_ED25519);
}

static void other_curve(struct scene *scene)
{
	spec(scene, RANK_LEAF)->key = scene_spare(SPARE_P384);
}

/* RFC 8446 4.4.2.2 wants digitalSignature, too, but OpenSSL looks at it with TLS 1.2 only. */
static void key_usage_agreement(struct scene *scene)
{
	spec(scene, RANK_LEAF)->usage = "critical,keyAgreement";
}

static void signs_itself(struct scene *scene)
{
	spec(scene, RANK_LEAF)->issuer = NULL;
}

static void bundle_of_the_leaf(struct scene *scene)
{
	scene_replace(&scene->bundle, strdup(scene->leaf[PROOF_NEW]));
}

static void constrained_ca(struct scene *scene)
{
	spec(scene, RANK_CA)->constraints = "critical,permitted;DNS:other.org";
	if (scene->purpose == VERIFY_CLIENT)
		spec(scene, RANK_LEAF)->names = "DNS:app.example.com";
}

static void not_yet_valid(struct scene *scene)
{
	spec(scene, RANK_LEAF)->from = 3600;
	spec(scene, RANK_LEAF)->until = 300 * FORGE_DAY;
}

static void expired(struct scene *scene)
{
	spec(scene, RANK_LEAF)->from = -2 * FORGE_DAY;
	spec(scene, RANK_LEAF)->until = -60;
}

static void expired_ca(struct scene *scene)
{
	spec(scene, RANK_CA)->from = -2 * FORGE_DAY;
	spec(scene, RANK_CA)->until = -60;
}

static void dies_soon(struct scene *scene)
{
	spec(scene, RANK_LEAF)->from = -2 * FORGE_DAY;
	spec(scene, RANK_LEAF)->until = TRAP_LIFE_S;
}

/* ---- the table */

#define SERVER VERIFY_SERVER
#define CLIENT VERIFY_CLIENT
#define BLOCK  SEVERITY_BLOCK
#define WARN   SEVERITY_WARNING
#define FIRST_CA                                                                                   \
	"is not signed by the first CA in the bundle with its issuer's subject, O=Acme, CN="
#define TWINS "and certificates that name it as issuer have no authority key identifier"

const struct trap traps[] = {
	{.name = "a server without a fault", .purpose = SERVER, .quiet = true, .real = ACCEPTED},
	{.name = "a client without a fault", .purpose = CLIENT, .quiet = true, .real = ACCEPTED},

	{.name = "CAs of one subject, no AKI, the new one first, an old server",
	 .purpose = SERVER,
	 .plan = twins_without_aki,
	 .files = both_new_first,
	 .old_shown = true,
	 .says = {{"chain", BLOCK, FIRST_CA}, {"ca-same-subject", WARN, TWINS}},
	 .real = REFUSED,
	 .said = "SSL error: "},
	{.name = "CAs of one subject, no AKI, the old one first, a new server",
	 .purpose = SERVER,
	 .plan = twins_without_aki,
	 .files = both_old_first,
	 .says = {{"chain", BLOCK, FIRST_CA}, {"ca-same-subject", WARN, TWINS}},
	 .real = REFUSED,
	 .said = "SSL error: "},
	{.name = "CAs of one subject, no AKI, the new one first, a new server",
	 .purpose = SERVER,
	 .plan = twins_without_aki,
	 .files = both_new_first,
	 .says = {{"ca-same-subject", WARN, TWINS}},
	 .real = ACCEPTED},
	{.name = "CAs of one subject, no AKI, the new one first, an old client",
	 .purpose = CLIENT,
	 .plan = twins_without_aki,
	 .files = both_new_first,
	 .old_shown = true,
	 .says = {{"chain", BLOCK, FIRST_CA}, {"ca-same-subject", WARN, TWINS}},
	 .real = REFUSED,
	 .said = "alert"},
	{.name = "CAs of one subject, no AKI, the old one first, a new client",
	 .purpose = CLIENT,
	 .plan = twins_without_aki,
	 .files = both_old_first,
	 .says = {{"chain", BLOCK, FIRST_CA}, {"ca-same-subject", WARN, TWINS}},
	 .real = REFUSED,
	 .said = "alert"},
	{.name = "half-way through a manual rotation: servers of both generations",
	 .purpose = SERVER,
	 .plan = twins_without_aki,
	 .files = both_new_first,
	 .old_shown = true,
	 .both = true,
	 .today = true,
	 .says = {{"chain", WARN, "already today refuse its old certificate"},
		  {"ca-same-subject", WARN, TWINS}},
	 .real = REFUSED,
	 .said = "SSL error: "},
	{.name = "half-way through a manual rotation: clients of both generations",
	 .purpose = CLIENT,
	 .plan = twins_without_aki,
	 .files = both_old_first,
	 .both = true,
	 .today = true,
	 .says = {{"chain", WARN, "already today refuse its new certificate"},
		  {"ca-same-subject", WARN, TWINS}},
	 .real = REFUSED,
	 .said = "alert"},
	{.name = "CAs of one subject with AKI are told apart",
	 .purpose = SERVER,
	 .plan = twins,
	 .files = both_new_first,
	 .old_shown = true,
	 .real = ACCEPTED},

	{.name = "a glued bundle on the servers",
	 .purpose = CLIENT,
	 .files = glued_bundle,
	 .says = {{"pem-text", BLOCK, "something is glued to its END line"}},
	 .real = NOT_TAKEN,
	 .said = "could not load root certificate file"},
	{.name = "a glued bundle on the clients",
	 .purpose = SERVER,
	 .files = glued_bundle,
	 .says = {{"pem-text", BLOCK, "something is glued to its END line"}},
	 .real = REFUSED,
	 .said = "could not read root certificate file"},
	{.name = "a server's leaf glued to its intermediate",
	 .purpose = SERVER,
	 .files = glued_leaf,
	 .says = {{"pem-text", BLOCK, "something is glued to its END line"}},
	 .real = NOT_TAKEN,
	 .said = "could not load server certificate file"},

	{.name = "a server's key of another certificate",
	 .purpose = SERVER,
	 .files = other_key,
	 .says = {{"key", BLOCK, "the key belongs to another certificate"}},
	 .real = NOT_TAKEN,
	 .said = "key values mismatch"},
	{.name = "a client's key of another certificate",
	 .purpose = CLIENT,
	 .files = other_key,
	 .says = {{"key", BLOCK, "the key belongs to another certificate"}},
	 .real = REFUSED,
	 .said = "key values mismatch"},

	{.name = "a server's leaf outlives its CA",
	 .purpose = SERVER,
	 .plan = short_lived_ca,
	 .says = {{"outlives-ca", WARN, "but its CA O=Acme, CN=server G2 ends at"},
		  {"expires-soon", BLOCK, "before the rotation can end"}},
	 .end = FORGE_DAY,
	 .real = LAPSES,
	 .said = "certificate verify failed"},
	{.name = "a client's leaf ends before the rotation can",
	 .purpose = CLIENT,
	 .plan = dies_soon,
	 .says = {{"expires-soon", BLOCK, "before the rotation can end"}},
	 .end = FORGE_DAY,
	 .real = LAPSES,
	 .said = "alert certificate expired"},

	{.name = "a server's intermediate is missing",
	 .purpose = SERVER,
	 .files = root_only,
	 .says = {{"chain", BLOCK, "the bundle lacks the issuer of"}},
	 .real = REFUSED,
	 .said = "certificate verify failed"},
	{.name = "a client's intermediate is missing",
	 .purpose = CLIENT,
	 .files = root_only,
	 .says = {{"chain", BLOCK, "the bundle lacks the issuer of"}},
	 .real = REFUSED,
	 .said = "alert unknown ca"},
	{.name = "the intermediate is missing in the bundle and sent along",
	 .purpose = CLIENT,
	 .files = ca_sent_along,
	 .real = ACCEPTED},
	/* On purpose: other servers and clients than OpenSSL's add nothing of their own bundle. */
	{.name = "an intermediate that only the server's own bundle has",
	 .purpose = SERVER,
	 .files = root_only,
	 .own_ca = true,
	 .says = {{"chain", BLOCK, "the bundle lacks the issuer of"}},
	 .real = ACCEPTED},
	{.name = "the root is missing",
	 .purpose = SERVER,
	 .files = ca_only,
	 .says = {{"chain", BLOCK, "the bundle lacks the issuer of O=Acme, CN=server G2"}},
	 .real = REFUSED,
	 .said = "certificate verify failed"},

	{.name = "a server without a SAN",
	 .purpose = SERVER,
	 .plan = no_names,
	 .says = {{"no-san", WARN,
		   "its new certificate names the host in the CN only, it has no SAN: libpq takes "
		   "that, clients in Go and newer Java do not"}},
	 .real = ACCEPTED,
	 .strict = true},
	{.name = "a name of the SAN is lost",
	 .purpose = SERVER,
	 .plan = alias_lost,
	 .both = true,
	 .host = BED_ALIAS,
	 .says = {{"leaf-names", BLOCK,
		   "the name DNS:" BED_ALIAS " of the certificate before is missing"},
		  {"host-name", BLOCK,
		   "clients that connect to " BED_ALIAS " with sslmode=verify-full would refuse"}},
	 .real = REFUSED,
	 .said = "does not match host name"},
	{.name = "a usage is lost: a server that is also a client",
	 .purpose = SERVER,
	 .plan = usage_lost,
	 .both = true,
	 .as_client = true,
	 .says = {{"leaf-usage", BLOCK, "clientAuth"}},
	 .real = REFUSED,
	 .said = "alert"},
	{.name = "the subject is lost, which pg_ident.conf maps",
	 .purpose = CLIENT,
	 .plan = subject_lost,
	 .both = true,
	 .user = "carol",
	 .says = {{"leaf-subject", BLOCK, "O=Acme B.V., CN=carol"}},
	 .real = REFUSED,
	 .said = "certificate authentication failed for user \"carol\""},
	{.name = "a client's CN is another name",
	 .purpose = CLIENT,
	 .plan = other_cn,
	 .both = true,
	 .says = {{"client-name", BLOCK, "its new certificate has the CN 'alison'"}},
	 .real = REFUSED,
	 .said = "certificate authentication failed for user \"alice\""},

	{.name = "a server's extended usage forbids it",
	 .purpose = SERVER,
	 .plan = extended_usage_of_the_other,
	 .says = {{"chain", BLOCK, "may not be used as a server: its usages forbid it"}},
	 .real = REFUSED,
	 .said = "certificate verify failed"},
	{.name = "a client's extended usage forbids it",
	 .purpose = CLIENT,
	 .plan = extended_usage_of_the_other,
	 .says = {{"chain", BLOCK, "may not be used as a client: its usages forbid it"}},
	 .real = REFUSED,
	 .said = "alert"},
	{.name = "a server's key usage forbids it",
	 .purpose = SERVER,
	 .plan = key_usage_of_a_ca,
	 .says = {{"chain", BLOCK, "may not be used as a server: its usages forbid it"}},
	 .real = REFUSED,
	 .said = "certificate verify failed"},
	{.name = "a client's key usage forbids it",
	 .purpose = CLIENT,
	 .plan = key_usage_encipherment,
	 .says = {{"chain", BLOCK, "may not be used as a client: its usages forbid it"}},
	 .real = REFUSED,
	 .said = "alert"},
	{.name = "a CA's extended usage forbids it",
	 .purpose = SERVER,
	 .plan = ca_of_the_other_purpose,
	 .says = {{"chain", BLOCK, "may not be used as a server's CA: its usages forbid it"}},
	 .real = REFUSED,
	 .said = "certificate verify failed"},
	{.name = "a CA without CA:TRUE",
	 .purpose = SERVER,
	 .plan = ca_is_no_ca,
	 .says = {{"chain", BLOCK, "O=Acme, CN=server G2"},
		  {"bundle-ca", WARN, "O=Acme, CN=server G2 in it is no CA"}},
	 .real = REFUSED,
	 .said = "certificate verify failed"},
	{.name = "a server that signed its own certificate",
	 .purpose = SERVER,
	 .plan = signs_itself,
	 .files = bundle_of_the_leaf,
	 .quiet = true,
	 .real = ACCEPTED},
	{.name = "a CA that may not sign certificates",
	 .purpose = CLIENT,
	 .plan = ca_may_not_sign,
	 .says = {{"chain", BLOCK, "O=Acme, CN=client G2"}},
	 .real = REFUSED,
	 .said = "alert"},
	{.name = "a CA beyond the path length",
	 .purpose = CLIENT,
	 .plan = path_length,
	 .says = {{"chain", BLOCK, "there are more CAs below"}},
	 .real = REFUSED,
	 .said = "alert"},

	{.name = "a server's leaf signed with SHA-1",
	 .purpose = SERVER,
	 .plan = sha1_leaf,
	 .says = {{"chain", BLOCK, "too weak for the TLS security level"}},
	 .real = NOT_TAKEN,
	 .said = "ca md too weak"},
	{.name = "a client's leaf signed with SHA-1",
	 .purpose = CLIENT,
	 .plan = sha1_leaf,
	 .says = {{"chain", BLOCK, "too weak for the TLS security level"}},
	 .real = REFUSED,
	 .said = "ca md too weak"},
	{.name = "a server's CA signed with SHA-1",
	 .purpose = SERVER,
	 .plan = sha1_ca,
	 .says = {{"chain", BLOCK,
		   "the digest in the signature of O=Acme, CN=server G2 is too weak"}},
	 .real = REFUSED,
	 .said = "certificate verify failed"},
	{.name = "a server's key is too short",
	 .purpose = SERVER,
	 .plan = short_leaf,
	 .says = {{"chain", BLOCK, "too short for the TLS security level"}},
	 .real = NOT_TAKEN,
	 .said = "ee key too small"},
	{.name = "a client's key is too short",
	 .purpose = CLIENT,
	 .plan = short_leaf,
	 .says = {{"chain", BLOCK, "too short for the TLS security level"}},
	 .real = REFUSED,
	 .said = "ee key too small"},
	{.name = "a CA's key is too short",
	 .purpose = CLIENT,
	 .plan = short_ca,
	 .says = {{"chain", BLOCK, "the key of O=Acme, CN=client G2 is too short"}},
	 .real = REFUSED,
	 .said = "alert"},

	{.name = "a server's leaf signed with Ed25519, and SCRAM",
	 .purpose = SERVER,
	 .plan = ed25519_ca,
	 .says = {{"ed25519", BLOCK, "logins with SCRAM passwords would fail on it"}},
	 .real = REFUSED,
	 .said = "could not find digest for NID UNDEF"},
	{.name = "a client's leaf signed with Ed25519",
	 .purpose = CLIENT,
	 .plan = ed25519_ca,
	 .real = ACCEPTED},

	{.name = "a client's key on another curve than ssl_ecdh_curve, and TLS 1.2",
	 .purpose = CLIENT,
	 .plan = other_curve,
	 .tls12 = true,
	 .says = {{"handshake", WARN,
		   "TLS 1.2 does not work with the new key and certificate (ECDSA P-384)"}},
	 .real = REFUSED,
	 .said = "alert illegal parameter"},
	{.name = "a client's key on another curve, and TLS 1.3",
	 .purpose = CLIENT,
	 .plan = other_curve,
	 .says = {{"handshake", WARN, "TLS 1.3 works"}},
	 .real = ACCEPTED},
	{.name = "a server that may not sign, and TLS 1.2",
	 .purpose = SERVER,
	 .plan = key_usage_agreement,
	 .tls12 = true,
	 .says = {{"handshake", WARN,
		   "TLS 1.2 does not work with the new key and certificate (ECDSA P-256)"}},
	 .real = REFUSED,
	 .said = "alert handshake failure"},

	{.name = "a server outside its CA's name constraints",
	 .purpose = SERVER,
	 .plan = constrained_ca,
	 .says = {{"chain", BLOCK, "permitted subtree violation"}},
	 .real = REFUSED,
	 .said = "certificate verify failed"},
	{.name = "a client outside its CA's name constraints",
	 .purpose = CLIENT,
	 .plan = constrained_ca,
	 .says = {{"chain", BLOCK, "permitted subtree violation"}},
	 .real = REFUSED,
	 .said = "alert"},

	{.name = "a server's leaf is not valid yet",
	 .purpose = SERVER,
	 .plan = not_yet_valid,
	 .says = {{"chain", BLOCK, "is not valid before"}},
	 .real = REFUSED,
	 .said = "certificate verify failed"},
	{.name = "a client's leaf is not valid yet",
	 .purpose = CLIENT,
	 .plan = not_yet_valid,
	 .says = {{"chain", BLOCK, "is not valid before"}},
	 .real = REFUSED,
	 .said = "alert"},
	{.name = "a server's leaf has expired",
	 .purpose = SERVER,
	 .plan = expired,
	 .says = {{"chain", BLOCK, "expired at"}},
	 .real = REFUSED,
	 .said = "certificate verify failed"},
	{.name = "a client's leaf has expired",
	 .purpose = CLIENT,
	 .plan = expired,
	 .says = {{"chain", BLOCK, "expired at"}},
	 .real = REFUSED,
	 .said = "alert certificate expired"},
	{.name = "a CA has expired",
	 .purpose = SERVER,
	 .plan = expired_ca,
	 .says = {{"chain", BLOCK, "O=Acme, CN=server G2 expired at"},
		  {"bundle-ca", WARN, "the CA O=Acme, CN=server G2 in it expired at"}},
	 .real = REFUSED,
	 .said = "certificate verify failed"},
};

const size_t trap_count = sizeof(traps) / sizeof(*traps);
