/* SPDX-License-Identifier: PostgreSQL */
/* What is to be said of a leaf by itself, and of a peer's leaf and its successor. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "safety/proof_internal.h"

/* Whether clients that check the host's name do without this server today already. */
static bool host_fails_today(const struct side *side, size_t peer, const char *host)
{
	for (int g = 0; g < PROOF__MAX; g++) {
		const struct loaded_leaf *leaf = &side->peers[peer].leaves[g];

		if (leaf->leaf && peer_live(side, peer, (enum proof_generation)g))
			return host_matches(leaf->leaf, host) == HOST_MATCH_NONE;
	}
	return false;
}

/* What the rotation mends is merely worth knowing. */
static bool new_one_has(const struct side *side, size_t peer, enum proof_generation g,
			const char *host)
{
	const struct cert *newer = side->peers[peer].leaves[PROOF_NEW].leaf;

	return g == PROOF_OLD && newer && host_matches(newer, host) != HOST_MATCH_NONE;
}

static int report_host(struct proof *proof, const struct side *side, size_t peer,
		       enum proof_generation g, const char *host, bool has_names, struct err *err)
{
	static const char advice[] = "add it to the host's names in the chain's description";
	const struct cert *leaf = side->peers[peer].leaves[g].leaf;
	struct findings *out = &proof->out->findings;
	char subject[PROOF_SUBJECT_SIZE];
	bool today;

	proof->out->checks++;
	proof_subject(subject, side, peer);
	switch (host_matches(leaf, host)) {
	case HOST_MATCH_NONE:
		today = host_fails_today(side, peer, host);
		if (today && new_one_has(side, peer, g, host))
			return findings_add(out, "host-name", SEVERITY_INFO, subject, NULL, err,
					    "clients that connect to %s with sslmode=verify-full "
					    "refuse its old certificate; its new one has that name",
					    host);
		return findings_add(out, "host-name", today ? SEVERITY_WARNING : SEVERITY_BLOCK,
				    subject, advice, err,
				    "clients that connect to %s with sslmode=verify-full %srefuse "
				    "its %s certificate: that name is not in it",
				    host, today ? "already today " : "would ",
				    proof_generation_name(g));
	case HOST_MATCH_CN:
		/* without any SAN this is said once for all hosts */
		if (!has_names)
			return 0;
		return findings_add(out, "host-name", SEVERITY_WARNING, subject, advice, err,
				    "its %s certificate has %s in the CN only: libpq takes that, "
				    "clients in Go and newer Java do not",
				    proof_generation_name(g), host);
	case HOST_MATCH_NAME:
	case HOST_MATCH_ADDRESS:
	case HOST_MATCH__MAX:
		break;
	}
	return 0;
}

static int report_hosts(struct proof *proof, const struct side *side, size_t peer,
			enum proof_generation g, struct err *err)
{
	const struct proof_peer *in = &side->in->peers[peer];
	const struct cert *leaf = side->peers[peer].leaves[g].leaf;
	struct strs names = STRS_INIT;
	char subject[PROOF_SUBJECT_SIZE];
	bool has_names;
	int rc = cert_names(&names, leaf, err);

	has_names = names.count > 0;
	strs_release(&names);
	if (!rc && !has_names) {
		proof_subject(subject, side, peer);
		rc = findings_add(
			&proof->out->findings, "no-san", SEVERITY_WARNING, subject,
			"issue it with the host's names in the SAN", err,
			"its %s certificate names the host in the CN only, it has no SAN: "
			"libpq takes that, clients in Go and newer Java do not",
			proof_generation_name(g));
	}
	if (!rc && (!in->hosts || !in->hosts->count))
		return report_host(proof, side, peer, g, in->name, has_names, err);
	for (size_t i = 0; !rc && i < in->hosts->count; i++)
		rc = report_host(proof, side, peer, g, in->hosts->items[i], has_names, err);
	return rc;
}

static const char *scram_text(enum proof_scram scram)
{
	static const char *const consequences[] = {
		[PROOF_SCRAM_UNKNOWN] =
			"logins with SCRAM passwords would fail on it (channel "
			"binding), and whether pg_hba.conf asks for them is not known",
		[PROOF_SCRAM_USED] =
			"logins with SCRAM passwords, which pg_hba.conf asks for, fail "
			"on it (channel binding)",
		[PROOF_SCRAM_NOT_USED] = "pg_hba.conf asks for no SCRAM passwords now, but logins "
					 "with them would fail on it (channel binding)"};

	return consequences[scram];
}

int proof_scram_known(struct findings *findings, enum proof_scram scram, struct err *err)
{
	const char *unknown = scram_text(PROOF_SCRAM_UNKNOWN);

	for (size_t i = 0; i < findings->count && scram != PROOF_SCRAM_UNKNOWN; i++) {
		struct finding *finding = &findings->items[i];
		const char *at = strcmp(finding->check, "ed25519")
					 ? NULL
					 : strstr(finding->reason, unknown);
		char *reason;

		if (!at)
			continue;
		reason = str_fmt("%.*s%s%s", (int)(at - finding->reason), finding->reason,
				 scram_text(scram), at + strlen(unknown));
		if (!reason)
			return err_nomem(err);
		free(finding->reason);
		finding->reason = reason;
		if (scram == PROOF_SCRAM_NOT_USED)
			finding->severity = SEVERITY_WARNING;
	}
	return 0;
}

/*
 * The channel binding of SCRAM (RFC 5929, tls-server-end-point) needs the digest of the signature
 * algorithm, and Ed25519 has none: PostgreSQL and libpq end the login then.
 */
static int report_ed25519(struct proof *proof, const struct side *side, size_t peer,
			  enum proof_generation g, struct err *err)
{
	bool today = peer_live(side, peer, g);
	bool harmless = proof->in->scram == PROOF_SCRAM_NOT_USED;
	char subject[PROOF_SUBJECT_SIZE];

	proof->out->checks++;
	if (strcmp(cert_signature_digest(side->peers[peer].leaves[g].leaf), "none") != 0)
		return 0;
	proof_subject(subject, side, peer);
	return findings_add(&proof->out->findings, "ed25519",
			    today || harmless ? SEVERITY_WARNING : SEVERITY_BLOCK, subject,
			    "sign servers' certificates with RSA or ECDSA", err,
			    "its %s certificate is signed with Ed25519%s: %s",
			    proof_generation_name(g), today ? ", already today" : "",
			    scram_text(proof->in->scram));
}

static int report_outlived(struct proof *proof, const struct side *side, size_t peer,
			   enum proof_generation g, struct err *err)
{
	const struct loaded_leaf *leaf = &side->peers[peer].leaves[g];
	const struct cert *ca = leaf->unit->outlived_ca;
	char ends[SYS_TIME_SIZE], ca_ends[SYS_TIME_SIZE];
	char subject[PROOF_SUBJECT_SIZE];

	proof->out->checks++;
	if (!ca)
		return 0;
	proof_subject(subject, side, peer);
	sys_time_text(cert_not_after(leaf->leaf), ends);
	sys_time_text(cert_not_after(ca), ca_ends);
	return findings_add(&proof->out->findings, "outlives-ca", SEVERITY_WARNING, subject,
			    "count on the CA's end, not on its own", err,
			    "its %s certificate is valid until %s, but its CA %s ends at %s and "
			    "takes it along",
			    proof_generation_name(g), ends, cert_subject(ca), ca_ends);
}

/* One that is refused for it already is in the chain's finding. */
static int report_fresh(struct proof *proof, const struct side *side, size_t peer,
			enum proof_generation g, struct err *err)
{
	const struct loaded_leaf *leaf = &side->peers[peer].leaves[g];
	char subject[PROOF_SUBJECT_SIZE], what[64];
	int rc = 0;

	proof->out->checks++;
	proof_subject(subject, side, peer);
	for (size_t i = 0; i < leaf->certs.count && !rc; i++) {
		const struct cert *cert = leaf->certs.items[i];

		if (!proof_is_fresh(proof, cert) || cert_not_before(cert) > proof->in->now)
			continue;
		(void)snprintf(what, sizeof(what), "%s %s certificate",
			       i ? "a CA behind its" : "its", proof_generation_name(g));
		rc = proof_report_skew(proof, subject, cert, what, err);
	}
	return rc;
}

int proof_report_leaf(struct proof *proof, const struct side *side, size_t peer,
		      enum proof_generation g, struct err *err)
{
	int rc;

	if (!side->peers[peer].leaves[g].unit)
		return 0;
	rc = report_outlived(proof, side, peer, g, err);
	rc = rc ? rc : report_fresh(proof, side, peer, g, err);
	if (side->purpose != VERIFY_SERVER)
		return rc;
	if (!rc)
		rc = report_hosts(proof, side, peer, g, err);
	return rc ? rc : report_ed25519(proof, side, peer, g, err);
}

/* A client's CN is its user name, unless pg_ident.conf maps it, which shows in the old one. */
static int report_client_name(struct proof *proof, const struct side *side, size_t peer,
			      struct err *err)
{
	const struct cert *older = side->peers[peer].leaves[PROOF_OLD].leaf;
	const struct cert *newer = side->peers[peer].leaves[PROOF_NEW].leaf;
	const char *user = side->in->peers[peer].name;
	char subject[PROOF_SUBJECT_SIZE];

	if (side->purpose != VERIFY_CLIENT || !newer || proof->in->reverting)
		return 0;
	proof->out->checks++;
	if (!strcmp(cert_common_name(newer), user) ||
	    (older && strcmp(cert_common_name(older), user) != 0))
		return 0;
	proof_subject(subject, side, peer);
	return findings_add(
		&proof->out->findings, "client-name",
		older && !peer_live(side, peer, PROOF_NEW) ? SEVERITY_BLOCK : SEVERITY_WARNING,
		subject, "issue it with the user's name as CN, or map it in pg_ident.conf", err,
		"its new certificate has the CN '%s': PostgreSQL takes that for the "
		"user's name",
		cert_common_name(newer));
}

int proof_report_peer(struct proof *proof, const struct side *side, size_t peer, struct err *err)
{
	const struct loaded_leaf *leaves = side->peers[peer].leaves;
	const struct loaded_leaf *older = &leaves[PROOF_OLD], *newer = &leaves[PROOF_NEW];
	char subject[PROOF_SUBJECT_SIZE];
	int rc = report_client_name(proof, side, peer, err);

	proof_subject(subject, side, peer);
	if (proof->in->reverting)
		return rc;
	if (!rc && older->leaf && newer->leaf && peer_occurs(side, peer, PROOF_OLD)) {
		proof->out->checks++;
		rc = cert_covers(&proof->out->findings, newer->leaf, older->leaf, subject, err);
	}
	if (rc || !(older->leaf || older->pem_error) || newer->leaf || newer->pem_error ||
	    !(proof->sides[0].any_new || proof->sides[1].any_new))
		return rc;
	return findings_add(&proof->out->findings, "no-successor", SEVERITY_BLOCK, subject,
			    "add it to the chain's description, or take it out of the "
			    "certificates' file",
			    err,
			    "it has a certificate, but none in the new generation: it is shut out "
			    "when the old chain goes");
}
