/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a transition would do: worked out whole before anything is touched. plan shows it, next and
 * revert carry it out.
 */
#ifndef STATE_PLAN_H
#define STATE_PLAN_H

#include <stdbool.h>
#include "base/finding.h"
#include "state/holdings.h"
#include "state/members.h"
#include "state/session.h"
#include "state/table.h"

/* One --waive: "GATE[=SUBJECT]:REASON". */
struct waiver {
	char *gate;
	char *subject; /* "" for every subject */
	char *reason;
	bool used; /* something that it names was found */
};

struct waivers {
	struct waiver *items;
	size_t count;
};

/* ERR_USAGE where it is not of that form, or gives no reason. */
int waivers_add(struct waivers *waivers, const char *text, struct err *err);
void waivers_release(struct waivers *waivers);
/*
 * Marks the findings that a waiver covers. named: only waivers that name a subject count, for what
 * must not be passed over wholesale.
 */
void waivers_apply(const struct waivers *waivers, struct findings *findings, bool named);
/*
 * As state.json keeps them while a phase is under way, "hosts" aside: [{gate, subject, reason, by,
 * at}]. Who is left out is said anew each time, because a host may be up again.
 */
struct json *waivers_json(const struct waivers *waivers, const char *by, int64_t now);
int waivers_from_json(struct waivers *out, const struct json *array, struct err *err);
/* The subjects waived at a gate, added to out: "hosts" gives the hosts to be left out. */
int waivers_subjects(struct strs *out, const struct waivers *waivers, const char *gate,
		     struct err *err);

/*
 * "db3" becomes "db3.example.com" where one server of that generation begins so. ERR_USAGE where
 * several do; what is no server's name at all stays: the inventory has other hosts as well.
 */
int plan_full_names(struct strs *names, const struct generation *gen, struct err *err);

struct plan_options {
	bool dry_run;	    /* nothing is generated: files that need new keys are named, not made */
	const char *reason; /* an emergency's */
	const struct waivers *waivers;
};

struct plan {
	struct transition row;
	bool resume;	/* it is under way already: the inventory is as its "to" says */
	bool turn;	/* it turns round one that is under way */
	char *rotation; /* its id */
	struct generation old_gen;
	struct generation new_gen;
	bool has_old;
	bool has_new;
	bool old_recorded;	  /* the old generation's files are there, and right */
	struct holdings holdings; /* as the base holds it now; closed before the proof */
	bool has_holdings;
	struct members members; /* who came and went since the phase before */
	struct target from;	/* what the inventory held, and is to hold */
	struct target to;
	const struct waivers *given; /* borrowed from the options; may be NULL */
	struct waivers kept;	     /* those with which what is gone on with began */
	struct findings findings;
	struct {
		size_t leaves, pairs, handshakes, checks;
		int64_t ms;
	} proof;		    /* how much was proven, and in which time */
	struct holding_files files; /* empty where resume is set */
	struct store store;	    /* the state file as the edit writes it */
	struct strs skip;	    /* hosts left out by a waiver */
	struct strs hooks;	    /* "wave 1: billing: exec hooks/reload", in their order */
	char *summary;		    /* one line for people: what will be done */
	char *scope;		    /* and to how many: "3 servers, 5 clients" */
};

/*
 * Which transition an event means now: the table's row for the state, or what is under way (the
 * same again: resume; the opposite: turn). ERR_USAGE with the table's refusal and hint.
 */
int plan_choose(struct transition *row, bool *resume, bool *turn, const struct store *store,
		enum event event, struct err *err);

/*
 * Whether the event leads to a state without passing the end of a rotation on the way: ERR_USAGE
 * where it does not. The first step is what the event means now, as plan_choose says.
 */
int plan_reaches(const struct store *store, enum event event, enum state to, struct err *err);

/*
 * Works it out from session (loaded). The vault is opened. ERR_DRIFT where the inventory is not
 * what the state says; other findings are in the plan, and the caller decides.
 */
int plan_make(struct plan *plan, struct session *session, enum event event,
	      const struct plan_options *options, struct err *err);
void plan_release(struct plan *plan);
/* waivers_apply with those that were given now, and those with which the phase began. */
void plan_waive(const struct plan *plan, struct findings *findings, bool named);

/* The rollout steps that the transition runs: for an emergency those of all phases, each once. */
struct plan_steps {
	const struct rollout_step **items;
	size_t count;
};

int plan_steps(struct plan_steps *out, const struct environment *env, enum phase phase,
	       struct err *err);
void plan_steps_release(struct plan_steps *steps);

#endif
