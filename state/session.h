/* SPDX-License-Identifier: PostgreSQL */
/*
 * One look at one environment: its configuration, its repository, what the base branch's tip says,
 * and this machine's own folder. Everything that a command needs before it does something.
 */
#ifndef STATE_SESSION_H
#define STATE_SESSION_H

#include <stdbool.h>
#include "base/err.h"
#include "base/finding.h"
#include "base/log.h"
#include "base/sys.h"
#include "git/repo.h"
#include "inventory/chain.h"
#include "inventory/config.h"
#include "proc/loop.h"
#include "secret/arena.h"
#include "state/generation.h"
#include "state/journal.h"
#include "state/store.h"
#include "vault/password.h"

struct seen;

#define SESSION_FILE_MAX   ((size_t)256 << 20)
#define SESSION_SECRET_MAX ((size_t)2 << 30)

struct session_options {
	const char *dir;	 /* somewhere in the repository */
	const char *config_file; /* NULL: certrotate.yml, where there is one */
	const char *env;	 /* NULL: the only one */
	struct sys *sys;
	const struct log *log;
	struct loop_stop *stop; /* may be NULL */
};

/*
 * What the sessions of one command have in common, opened once: a command that looks at hundreds of
 * environments lends it to one session after the other.
 */
struct session_shared {
	struct repo *repo;
	struct config *config;
	/* A reference that was looked up, and what it names: mostly it is every session's base. */
	char *ref;
	struct oid tip;
	struct seen *seen; /* what was found by looks before; lent, NULL: nothing is known */
};

struct session {
	struct sys *sys;
	const struct log *log;
	struct loop_stop *stop;
	struct session_shared
		*lent; /* whose repo and config are borrowed; NULL: they are its own */
	struct repo *repo;
	struct config *config;
	const struct environment *env; /* borrowed from config */
	char *by;		       /* "Name <email>", as git is configured */
	char *host;		       /* this machine and this checkout: "HOST:/PATH" */
	char *local_dir;	       /* .git/certrotate/ENV */
	char *state_path;	       /* .certrotate/ENV/state.json */
	char *base_ref;	       /* where the base is read: the remote's, or the local branch */
	char *base_branch_ref; /* refs/heads/BASE */
	char *settle_ref; /* refs/remotes/REMOTE/certrotate/ENV in flow merge_request; or NULL */
	char *known;	  /* who had something under way, "" for nobody: see session_know */
	struct journal journal;
	int lock; /* -1: not held */
	struct arena *arena;
	struct vault_passwords passwords;
	bool passwords_found;
	struct chain_desc *chain; /* NULL before session_chain */
	struct oid base;	  /* the base branch's tip, after session_load */
	struct store store;	  /* likewise */
	bool loaded;
	bool in_brief;		  /* the store lacks history, words and lists: session_load_known */
	int64_t claimed_at;	  /* when step_claimed looked */
	struct merge_link *merge; /* the forge, when first needed: state/merge.h */
};

/* certrotate.yml, or the file that -c names; config_free() it. */
int session_config(struct config **out, const struct repo *repo, const char *file, struct err *err);
/* Takes no lock and reads no network. ERR_USAGE for what is wrong in the configuration. */
int session_open(struct session *session, const struct session_options *options, struct err *err);
/* The options' env is not looked at. Release with session_shared_close, behind its sessions. */
int session_shared_open(struct session_shared *shared, const struct session_options *options,
			struct err *err);
void session_shared_close(struct session_shared *shared);
/*
 * As session_open, in what is opened already (options: the same but for env); shared stays the
 * caller's. For looking: the references are those of shared, as they were when first asked for.
 */
int session_open_in(struct session *session, const struct session_options *options,
		    struct session_shared *shared, struct err *err);
void session_close(struct session *session);

/* Fills by, where it is not known yet. ERR_USAGE where git does not know who you are. */
int session_identity(struct session *session, struct err *err);
/* Makes the local folder, and the one with that name in it (NULL: none): file_private_dirs. */
int session_make_local(const struct session *session, const char *name, struct err *err);
/* ERR_LOCK where another process on this machine is at work on the environment. */
int session_lock(struct session *session, struct err *err);
/*
 * What is begun now is finished in spite of a first stop request, and what says so to who makes
 * one; NULL: no longer. A string that stays.
 */
void session_finishing(struct session *session, const char *what);
/*
 * Keeps who had something under way ("HOST SINCE"; "" for nobody) as far as this clone knows it:
 * to be called before the fetch. Who takes over has to know from whom.
 */
int session_know(struct session *session, struct err *err);
bool session_knew(const struct session *session, const struct under_way *under_way);
/* Fetches the base (and certrotate's own branches); nothing where nothing is pushed. */
int session_fetch(struct session *session, struct err *err);
/*
 * Reads the base's tip and the state as it is there. Without a state file an environment is idle
 * where it has a certs file, else absent. May be called again after a fetch.
 */
int session_load(struct session *session, struct err *err);
/* For a look: as session_load, but where seen_state knows the state that is all of it (in_brief).
 */
int session_load_known(struct session *session, struct err *err);

/* The state file as a reference has it; ERR_NOENT where it has none. */
int session_read_state(struct store *store, struct session *session, const char *ref,
		       struct err *err);

/* The same of a commit; name is for messages. */
int session_state_of(struct store *store, struct session *session, const struct oid *commit,
		     const char *name, struct err *err);

/* Each once, when first needed. */
int session_passwords(struct session *session, struct err *err);
int session_chain(struct session *session, struct err *err);

/* What is probed (environment_endpoints), but for those names; skip may be NULL. */
int session_endpoints(struct endpoints *out, struct session *session, const struct strs *skip,
		      struct err *err);

/* What the configuration switches off, as warnings: never passed over in silence. */
int session_notes(struct findings *out, const struct session *session, struct err *err);

/* ".certrotate/ENV/NAME"; free() it. */
char *session_path(const struct session *session, const char *name);
/*
 * Reads a generation from the base's tip (or, in flow merge_request, wherever the state came from).
 * with_keys needs the vault's password; the CA keys are read by session_ca_keys only.
 */
int session_generation(struct generation *out, struct session *session, const char *id,
		       bool with_keys, struct err *err);
/* Adds its CA keys to a generation. ERR_NOENT where they are not kept. */
int session_ca_keys(struct generation *gen, struct session *session, struct err *err);

#endif
