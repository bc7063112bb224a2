/* SPDX-License-Identifier: PostgreSQL */
/*
 * Who refuses whom, in words. Refusals of one kind are gathered first: where a bundle lacks a CA
 * it refuses thousands of leaves, and that is one thing to say, not thousands.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "safety/proof_internal.h"

#define APART_MOST  3 /* so many are said one by one; also the names that are shown of more */
#define NAMES_SIZE  512
#define REASON_SIZE 700

enum kind {
	REFUSED,
	ENDS,	      /* good now, refused before the rotation can end */
	STALE_LEAF,   /* only a host that was left behind has the leaf */
	STALE_BUNDLE, /* only hosts that were left behind have the bundle */
	STRAY_LEAF    /* a client's leaf that may be on such a host */
};

/* Refusals that differ in the peer only. */
struct group {
	enum kind kind;
	enum proof_generation g;
	bool today;
	bool own_fault; /* of the leaves, whatever the bundle */
	const struct loaded_bundle *bundle;
	const struct verdict *verdict; /* of the first */
	size_t peers[APART_MOST];
	size_t count;
};

struct groups {
	struct group *items;
	size_t count;
	size_t cap;
	struct strmap index;
};

/* OpenSSL's numbers (openssl/x509_vfy.h), which are part of its stable interface. */
enum x509_code {
	NO_ISSUER = 2,
	SIGNATURE_FAILURE = PROOF_BAD_SIGNATURE,
	NOT_YET_VALID = 9,
	HAS_EXPIRED = 10,
	SELF_SIGNED_LEAF = 18,
	SELF_SIGNED_IN_CHAIN = 19,
	NO_ISSUER_LOCALLY = 20,
	LEAF_NOT_VERIFIED = 21,
	PATH_LENGTH = 25,
	INVALID_PURPOSE = 26,
	NO_CERTSIGN = 32,
	NAME_NOT_PERMITTED = 47,
	NAME_EXCLUDED = 48,
	LEAF_KEY_TOO_SMALL = 66,
	CA_KEY_TOO_SMALL = 67,
	DIGEST_TOO_WEAK = 68,
	INVALID_CA = 79
};

static const char *advice_for(const struct verdict *verdict)
{
	switch (verdict->code) {
	case NO_ISSUER:
	case SELF_SIGNED_LEAF:
	case SELF_SIGNED_IN_CHAIN:
	case NO_ISSUER_LOCALLY:
	case LEAF_NOT_VERIFIED:
		return "put the missing CA certificates, up to the root, into the bundle";
	case SIGNATURE_FAILURE:
		return "tell the CAs apart by subject (as certrotate issues them) or by authority "
		       "key identifiers, or put the right one first";
	case NOT_YET_VALID:
		return "set the clocks right, or wait";
	case HAS_EXPIRED:
		return "issue it anew";
	case PATH_LENGTH:
	case INVALID_PURPOSE:
	case NO_CERTSIGN:
	case INVALID_CA:
		return "issue it anew with the right usages (keyUsages, extendedKeyUsages, path "
		       "length)";
	case NAME_NOT_PERMITTED:
	case NAME_EXCLUDED:
		return "issue it from a CA whose name constraints allow its names, or without the "
		       "name";
	case LEAF_KEY_TOO_SMALL:
	case CA_KEY_TOO_SMALL:
	case DIGEST_TOO_WEAK:
		return "issue it anew with a key of 2048 bits or more and SHA-256";
	default:
		return "look at it with openssl verify -show_chain";
	}
}

static bool is_own_fault(const struct verdict *verdict)
{
	switch (verdict->code) {
	case NOT_YET_VALID:
	case HAS_EXPIRED:
	case INVALID_PURPOSE:
	case LEAF_KEY_TOO_SMALL:
	case DIGEST_TOO_WEAK:
		return verdict->depth == 0;
	default:
		return false;
	}
}

/* Whether no bundle that is held today takes it, each for that same reason. */
static bool fails_today(const struct side *side, const struct unit *unit, int code)
{
	bool any = false;

	for (size_t b = 0; b < side->bundle_count; b++) {
		if (!side->bundles[b].live)
			continue;
		if (!unit->pairs[b].now || unit->pairs[b].now->code != code)
			return false;
		any = true;
	}
	return any;
}

static enum kind kind_of(const struct side *side, size_t peer, enum proof_generation g,
			 const struct loaded_bundle *bundle, bool own_fault)
{
	if (own_fault)
		return REFUSED;
	if (bundle->in->holder)
		return STALE_BUNDLE;
	if (side->in->occurs[g] || side->in->live[g])
		return REFUSED;
	return side->in->peers[peer].behind[g] ? STALE_LEAF : STRAY_LEAF;
}

/* What else tells refusals apart: the CA that is at fault or missing, or the host. */
static const char *at_fault(const struct side *side, const struct group *group, size_t peer,
			    const struct unit *unit)
{
	if (group->kind == STALE_LEAF)
		return side->in->peers[peer].name;
	if (group->own_fault || group->kind == STALE_BUNDLE)
		return "";
	return group->verdict->depth ? group->verdict->at : cert_issuer(unit->from->leaf);
}

static int find_group(struct group **out, struct groups *groups, const struct group *like,
		      const char *fault, struct err *err)
{
	char *key = str_fmt("%d/%d/%d/%p/%d/%s", (int)like->kind, (int)like->g, (int)like->today,
			    like->own_fault ? NULL : (const void *)like->bundle,
			    like->kind == STALE_BUNDLE ? 0 : like->verdict->code, fault);
	size_t at = groups->count;
	struct group *items;
	int rc = key ? 0 : err_nomem(err);

	if (!rc && !strmap_get(&groups->index, key, &at)) {
		if (groups->count == groups->cap) {
			groups->cap = groups->cap ? groups->cap * 2 : 16;
			items = realloc(groups->items, groups->cap * sizeof(*items));
			rc = items ? 0 : err_nomem(err);
			groups->items = items ? items : groups->items;
		}
		rc = rc ? rc : strmap_put(&groups->index, key, at, err);
		if (!rc)
			groups->items[groups->count++] = *like;
	}
	free(key);
	*out = rc ? NULL : &groups->items[at];
	return rc;
}

static int gather(struct groups *groups, const struct side *side, size_t peer,
		  const struct group *like, const struct unit *unit, struct err *err)
{
	struct group *group;
	int rc = find_group(&group, groups, like, at_fault(side, like, peer, unit), err);

	if (rc || !group)
		return rc;
	if (group->count < APART_MOST)
		group->peers[group->count] = peer;
	group->count++;
	return 0;
}

/* All bundles against one leaf of one peer. */
static int gather_leaf(struct groups *groups, const struct side *side, size_t peer,
		       enum proof_generation g, struct err *err)
{
	const struct unit *unit = side->peers[peer].leaves[g].unit;
	bool end_told = false, own_told[2] = {false, false};
	int rc = 0;

	for (size_t b = 0; b < side->bundle_count && !rc; b++) {
		const struct loaded_bundle *bundle = &side->bundles[b];
		const struct pair *pair = &unit->pairs[b];
		struct group like = {.g = g, .bundle = bundle, .verdict = pair->now};

		if (pair->now) {
			like.today = peer_live(side, peer, g) &&
				     (bundle->live || fails_today(side, unit, pair->now->code));
			like.own_fault = is_own_fault(pair->now);
			like.kind = kind_of(side, peer, g, bundle, like.own_fault);
			if (like.own_fault && own_told[like.today])
				continue;
			own_told[like.today] = own_told[like.today] || like.own_fault;
		} else if (pair->at_end && !end_told) {
			like.verdict = pair->at_end;
			like.own_fault = is_own_fault(pair->at_end);
			like.kind = ENDS;
			end_told = true;
		} else {
			continue;
		}
		rc = gather(groups, side, peer, &like, unit, err);
	}
	return rc;
}

static void names_of(char out[NAMES_SIZE], const struct side *side, const struct group *group)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < group->count && i < APART_MOST; i++) {
		int n = snprintf(out + len, NAMES_SIZE - len, "%s%s", i ? ", " : "",
				 side->in->peers[group->peers[i]].name);

		len += n > 0 ? (size_t)n : 0;
		if (len >= NAMES_SIZE)
			return;
	}
	if (group->count > APART_MOST)
		(void)snprintf(out + len, NAMES_SIZE - len, " and %zu more",
			       group->count - APART_MOST);
}

/* "the old certificates of 12 servers (db1, db2, db3 and 9 more)", or of one */
static void whose(char out[REASON_SIZE], const struct side *side, const struct group *group)
{
	char names[NAMES_SIZE];

	names_of(names, side, group);
	if (group->count == 1)
		(void)snprintf(out, REASON_SIZE, "the %s certificate of %s %s",
			       proof_generation_name(group->g), side->word, names);
	else
		(void)snprintf(out, REASON_SIZE, "the %s certificates of %zu %ss (%s)",
			       proof_generation_name(group->g), group->count, side->word, names);
}

static int report_one(struct proof *proof, const struct side *side, const struct group *group,
		      size_t peer, struct err *err)
{
	const struct unit *unit = side->peers[peer].leaves[group->g].unit;
	const struct pair *pair = &unit->pairs[group->bundle - side->bundles];
	struct findings *out = &proof->out->findings;
	char subject[PROOF_SUBJECT_SIZE];
	char when[SYS_TIME_SIZE];

	proof_subject(subject, side, peer);
	if (group->kind == REFUSED)
		return findings_add(out, "chain", group->today ? SEVERITY_WARNING : SEVERITY_BLOCK,
				    subject, advice_for(pair->now), err,
				    "%s that hold the bundle '%s' %srefuse its %s certificate: %s "
				    "(OpenSSL: %s)",
				    side->others, group->bundle->in->label,
				    group->today ? "already today " : "would ",
				    proof_generation_name(group->g), pair->now->reason,
				    pair->now->openssl);
	sys_time_text(proof->in->end, when);
	return findings_add(out, "expires-soon", SEVERITY_BLOCK, subject, PROOF_ADVICE_END, err,
			    "%s that hold the bundle '%s' will refuse its %s certificate before "
			    "the rotation can end (%s): by then %s",
			    side->others, group->bundle->in->label, proof_generation_name(group->g),
			    when, pair->at_end->reason);
}

/* The subject is what is at fault for all: the bundle, or the leaves themselves. */
static int report_many(struct proof *proof, const struct side *side, const struct group *group,
		       struct err *err)
{
	struct findings *out = &proof->out->findings;
	const char *holding = group->own_fault ? "" : " that hold it";
	char subject[PROOF_SUBJECT_SIZE], leaves[REASON_SIZE];
	char when[SYS_TIME_SIZE];

	if (group->own_fault)
		(void)snprintf(subject, sizeof(subject), "%ss", side->word);
	else
		proof_bundle_subject(subject, side, group->bundle);
	whose(leaves, side, group);
	if (group->kind == REFUSED)
		return findings_add(out, "chain", group->today ? SEVERITY_WARNING : SEVERITY_BLOCK,
				    subject, advice_for(group->verdict), err,
				    "%s%s %srefuse %s; the first because %s (OpenSSL: %s)",
				    side->others, holding,
				    group->today ? "already today " : "would ", leaves,
				    group->verdict->reason, group->verdict->openssl);
	sys_time_text(proof->in->end, when);
	return findings_add(out, "expires-soon", SEVERITY_BLOCK, subject, PROOF_ADVICE_END, err,
			    "%s%s will refuse %s before the rotation can end (%s); the first "
			    "because %s",
			    side->others, holding, leaves, when, group->verdict->reason);
}

static int add_stale(struct proof *proof, const struct group *group, const char *host,
		     const char *reason, struct err *err)
{
	char *subject = str_fmt("host %s", host);
	char *advice = str_fmt("bring it up to date first, as 'certrotate next' does unless a "
			       "waiver leaves it out; or accept that by name: --waive "
			       "'behind=%s:REASON'",
			       host);
	int rc = subject && advice
			 ? findings_add(&proof->out->findings, "behind",
					group->today ? SEVERITY_WARNING : SEVERITY_BLOCK, subject,
					advice, err, "%s: %s (OpenSSL: %s)", reason,
					group->verdict->reason, group->verdict->openssl)
			 : err_nomem(err);

	free(subject);
	free(advice);
	return rc;
}

static int report_stale_bundle(struct proof *proof, const struct side *side,
			       const struct group *group, struct err *err)
{
	bool on_servers = side->purpose == VERIFY_CLIENT;
	char leaves[REASON_SIZE], reason[REASON_SIZE + 120];
	int rc = 0;

	whose(leaves, side, group);
	(void)snprintf(reason, sizeof(reason),
		       "left behind, %s the bundle from before %srefuse%s %s",
		       on_servers ? "it still has" : "clients on it still have",
		       group->today ? "and already today " : "and would ",
		       group->today && on_servers ? "s" : "", leaves);
	for (size_t i = 0; i < group->bundle->holders.count && !rc; i++)
		rc = add_stale(proof, group, group->bundle->holders.items[i], reason, err);
	return rc;
}

static int report_stale_leaf(struct proof *proof, const struct side *side,
			     const struct group *group, struct err *err)
{
	char reason[REASON_SIZE];

	(void)snprintf(reason, sizeof(reason),
		       "left behind, it still has its %s certificate, which %s that hold the "
		       "bundle '%s' %srefuse",
		       proof_generation_name(group->g), side->others, group->bundle->in->label,
		       group->today ? "already today " : "would ");
	return add_stale(proof, group, side->in->peers[group->peers[0]].name, reason, err);
}

/* Which host has which client's certificate is not known: this warns, and names both. */
static int report_stray(struct proof *proof, const struct side *side, const struct group *group,
			struct err *err)
{
	char subject[PROOF_SUBJECT_SIZE], leaves[REASON_SIZE], hosts[NAMES_SIZE] = "";

	if (proof->in->behind)
		strs_join(proof->in->behind, APART_MOST, hosts, sizeof(hosts));
	(void)snprintf(subject, sizeof(subject), "%ss", side->word);
	whose(leaves, side, group);
	return findings_add(&proof->out->findings, "behind", SEVERITY_WARNING, subject,
			    "bring those hosts up to date first, or look that no program on them "
			    "logs in with such a certificate",
			    err,
			    "what was left behind (%s) may still hold %s, which %s that hold the "
			    "bundle '%s' %srefuse: %s",
			    hosts, leaves, side->others, group->bundle->in->label,
			    group->today ? "already today " : "would ", group->verdict->reason);
}

static int report_group(struct proof *proof, const struct side *side, const struct group *group,
			struct err *err)
{
	int rc = 0;

	switch (group->kind) {
	case STALE_BUNDLE:
		return report_stale_bundle(proof, side, group, err);
	case STALE_LEAF:
		return report_stale_leaf(proof, side, group, err);
	case STRAY_LEAF:
		return report_stray(proof, side, group, err);
	case REFUSED:
	case ENDS:
		break;
	}
	if (group->count > APART_MOST)
		return report_many(proof, side, group, err);
	for (size_t i = 0; i < group->count && !rc; i++)
		rc = report_one(proof, side, group, group->peers[i], err);
	return rc;
}

int proof_report_refusals(struct proof *proof, const struct side *side, struct err *err)
{
	struct groups groups = {.index = STRMAP_INIT};
	int rc = 0;

	for (size_t i = 0; i < side->in->count && !rc; i++) {
		for (int g = 0; g < PROOF__MAX && !rc; g++) {
			if (!side->peers[i].leaves[g].unit)
				continue;
			proof->out->checks += side->bundle_count;
			rc = gather_leaf(&groups, side, i, (enum proof_generation)g, err);
		}
	}
	for (size_t i = 0; i < groups.count && !rc; i++)
		rc = report_group(proof, side, &groups.items[i], err);
	strmap_release(&groups.index);
	free(groups.items);
	return rc;
}
