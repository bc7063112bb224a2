/* SPDX-License-Identifier: PostgreSQL */
/* What is to be said of a bundle by itself, and of what could not be looked at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "safety/proof_internal.h"

#define NAMES_SHOWN 5
#define NAMES_SIZE  512

void proof_bundle_subject(char out[PROOF_SUBJECT_SIZE], const struct side *side,
			  const struct loaded_bundle *bundle)
{
	(void)snprintf(out, PROOF_SUBJECT_SIZE, "bundle of the %s '%s'", side->others,
		       bundle->in->label);
}

bool proof_is_fresh(const struct proof *proof, const struct cert *cert)
{
	return cert_not_before(cert) > proof->in->now - PROOF_SKEW_S;
}

int proof_report_skew(struct proof *proof, const char *subject, const struct cert *cert,
		      const char *what, struct err *err)
{
	int64_t now = proof->in->now, from = cert_not_before(cert);
	char since[SYS_TIME_SIZE], settled[SYS_TIME_SIZE];
	char *advice;
	int rc;

	sys_time_text(from, since);
	sys_time_text(from + PROOF_SKEW_S, settled);
	advice = str_fmt("wait until %s, or make sure that the hosts' clocks agree (timedatectl, "
			 "chronyc tracking)",
			 settled);
	rc = advice ? findings_add(&proof->out->findings, "clock-skew", SEVERITY_WARNING, subject,
				   advice, err,
				   "%s is not valid before %s%s: a host whose clock is behind "
				   "refuses it",
				   what, since,
				   from > now ? ", which is still to come" : ", minutes ago")
		    : err_nomem(err);
	free(advice);
	return rc;
}

/* A certificate that signed itself, as tools make it, is trusted where the bundle has it. */
static bool is_peers_own(const struct side *side, const struct cert *cert)
{
	for (size_t i = 0; cert_is_self_issued(cert) && i < side->unit_count; i++)
		if (cert_equal(side->units[i].from->leaf, cert))
			return true;
	return false;
}

static int report_members(struct proof *proof, const struct side *side,
			  const struct loaded_bundle *bundle, struct err *err)
{
	struct findings *out = &proof->out->findings;
	char subject[PROOF_SUBJECT_SIZE];
	char when[SYS_TIME_SIZE], what[PROOF_SUBJECT_SIZE];
	int rc = 0;

	proof_bundle_subject(subject, side, bundle);
	for (size_t i = 0; i < bundle->certs.count && !rc; i++) {
		const struct cert *cert = bundle->certs.items[i];

		proof->out->checks++;
		if (!cert_is_ca(cert) && is_peers_own(side, cert))
			continue;
		if (!cert_is_ca(cert)) {
			rc = findings_add(out, "bundle-ca", SEVERITY_WARNING, subject,
					  "take it out, or issue the CA with CA:TRUE", err,
					  "%s in it is no CA: nothing that it signed is accepted",
					  cert_subject(cert));
		} else if (cert_validity(cert, proof->in->now) == CERT_EXPIRED) {
			sys_time_text(cert_not_after(cert), when);
			rc = findings_add(out, "bundle-ca", SEVERITY_WARNING, subject,
					  "take it out once nothing needs it", err,
					  "the CA %s in it expired at %s", cert_subject(cert),
					  when);
		} else if (proof_is_fresh(proof, cert)) {
			(void)snprintf(what, sizeof(what), "the CA %s in it", cert_subject(cert));
			rc = proof_report_skew(proof, subject, cert, what, err);
		}
	}
	return rc;
}

/*
 * Whether a peer could try another CA than the certificate's own: it has nothing but the subject
 * to go by, and not every CA of that subject signed it (one renewed with the same key did).
 */
static bool is_torn(const struct loaded_bundle *bundle, const struct cert *cert, const char *ca)
{
	if (cert_has_aki(cert) || strcmp(cert_issuer(cert), ca) != 0 || cert_is_self_issued(cert))
		return false;
	for (size_t i = 0; i < bundle->certs.count; i++) {
		const struct cert *issuer = bundle->certs.items[i];

		if (!strcmp(cert_subject(issuer), ca) && !cert_issued_by(cert, issuer))
			return true;
	}
	return false;
}

/* The leaves of the units that the bundle's CAs of that subject leave to chance, and those that it
 * refuses for it. */
static int torn_leaves(struct strs *torn, struct strs *refused, const struct side *side,
		       const struct loaded_bundle *bundle, const char *ca, struct err *err)
{
	size_t b = (size_t)(bundle - side->bundles);
	int rc = 0;

	for (size_t i = 0; i < side->unit_count && !rc; i++) {
		const struct unit *unit = &side->units[i];
		const char *word = proof_generation_name(unit->generation);
		const char *name = cert_common_name(unit->from->leaf);

		if (!is_torn(bundle, unit->from->leaf, ca))
			continue;
		rc = strs_addf(torn, err, "%s %s", word, name);
		if (!rc && unit->pairs[b].now && unit->pairs[b].now->code == PROOF_BAD_SIGNATURE)
			rc = strs_addf(refused, err, "%s %s", word, name);
	}
	return rc;
}

static int report_twins(struct proof *proof, const struct side *side,
			const struct loaded_bundle *bundle, const char *ca, struct err *err)
{
	char subject[PROOF_SUBJECT_SIZE];
	char names[NAMES_SIZE], refused_names[NAMES_SIZE];
	struct strs torn = STRS_INIT, refused = STRS_INIT;
	const char *then = "";
	size_t cas;
	int rc = 0;

	for (size_t i = 0; i < bundle->certs.count && !rc; i++)
		if (is_torn(bundle, bundle->certs.items[i], ca))
			rc = strs_add_unique(&torn, cert_subject(bundle->certs.items[i]), err);
	cas = torn.count;
	rc = rc ? rc : torn_leaves(&torn, &refused, side, bundle, ca, err);
	if (!rc && torn.count) {
		proof_bundle_subject(subject, side, bundle);
		strs_join(&torn, NAMES_SHOWN, names, sizeof(names));
		strs_join(&refused, NAMES_SHOWN, refused_names, sizeof(refused_names));
		if (refused.count)
			then = bundle->live ? "; already today it refuses " : "; it would refuse ";
		else if (torn.count > cas)
			then = "; in this order OpenSSL refuses none of them";
		rc = findings_add(&proof->out->findings, "ca-same-subject", SEVERITY_WARNING,
				  subject, "issue the new chain with a subject of its own", err,
				  "several CAs in it have the subject %s, and certificates that "
				  "name it as issuer have no authority key identifier (%s): "
				  "OpenSSL tries the first CA only, other programs another one%s%s",
				  ca, names, then, refused_names);
	}
	strs_release(&torn);
	strs_release(&refused);
	return rc;
}

/* Each subject that several certificates have, once. */
static int find_twins(struct proof *proof, const struct side *side,
		      const struct loaded_bundle *bundle, struct err *err)
{
	struct strmap seen = STRMAP_INIT;
	int rc = 0;

	for (size_t i = 0; i < bundle->certs.count && !rc; i++) {
		const char *subject = cert_subject(bundle->certs.items[i]);
		size_t times = 0;

		(void)strmap_get(&seen, subject, &times);
		rc = strmap_put(&seen, subject, times + 1, err);
		if (!rc && times == 1)
			rc = report_twins(proof, side, bundle, subject, err);
	}
	proof->out->checks++;
	strmap_release(&seen);
	return rc;
}

int proof_report_bundles(struct proof *proof, const struct side *side, struct err *err)
{
	int rc = 0;

	if (side->unit_count && !side->in->bundle_count)
		rc = findings_add(&proof->out->findings, "chain", SEVERITY_BLOCK, side->others,
				  "add a chain to the certificates' file", err,
				  "there is no bundle to verify the %ss' certificates with",
				  side->word);
	for (size_t b = 0; b < side->bundle_count && !rc; b++) {
		rc = report_members(proof, side, &side->bundles[b], err);
		if (!rc)
			rc = find_twins(proof, side, &side->bundles[b], err);
	}
	return rc;
}

int proof_report_unknown_keys(struct proof *proof, const struct side *side, struct err *err)
{
	struct strs names = STRS_INIT;
	char list[NAMES_SIZE];
	enum proof_generation g = proof->in->reverting ? PROOF_OLD : PROOF_NEW;
	int rc = 0;

	for (size_t i = 0; i < side->in->count && !rc; i++) {
		const struct loaded_leaf *leaf = &side->peers[i].leaves[g];

		if (leaf->leaf && !proof_has_key(leaf) && side->in->occurs[g] && !side->in->live[g])
			rc = strs_add(&names, side->in->peers[i].name, err);
	}
	if (!rc && names.count) {
		strs_join(&names, NAMES_SHOWN, list, sizeof(list));
		rc = findings_add(&proof->out->findings, "key", SEVERITY_WARNING,
				  side->purpose == VERIFY_SERVER ? "servers" : "clients",
				  "open the vault that holds them", err,
				  "the %s keys of %s are not known: whether they fit was not "
				  "checked, and no handshake was tried",
				  proof_generation_name(g), list);
	}
	strs_release(&names);
	return rc;
}
