/* SPDX-License-Identifier: PostgreSQL */
/*
 * certrotate.yml, and what is found without it: the environments of a repository in pgVillage's
 * layout. See certrotate.yml(5) for the format; config_keys() lists every key.
 *
 * An environment's value is its own key's, else the one of "defaults", else the program's. Mappings
 * are merged key by key, lists replace. A key that is set to null goes back to the program's value.
 * "{env}" in a text of an environment stands for its name.
 *
 * Nothing but certrotate.yml and the names in environments/ is read here: whether the files are
 * there is asked by environment_check_files, when they are needed.
 */
#ifndef INVENTORY_CONFIG_H
#define INVENTORY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/strs.h"

#define CONFIG_FILE	     "certrotate.yml"
#define CONFIG_ROLLOUT	     "rollout_new_certs.yml" /* playbooks, where no other is named */
#define CONFIG_CHECK	     "check_certs.yml"
#define CONFIG_PORT	     5432
#define CONFIG_DEADLINE_S    3600 /* of a playbook, an exec hook or an ansible hook */
#define CONFIG_WEBHOOK_S     60	  /* deadline of a webhook */
#define CONFIG_TEXT_MAX	     ((size_t)4 << 20)
#define ENVIRONMENT_NAME_MAX 64

enum git_flow { FLOW_DIRECT, FLOW_MERGE_REQUEST, FLOW__MAX };
enum forge_kind { FORGE_GITLAB, FORGE_GITHUB, FORGE_FORGEJO, FORGE__MAX };
enum ca_keys { CA_KEYS_KEEP, CA_KEYS_DISCARD, CA_KEYS__MAX };
enum endpoint_protocol {
	ENDPOINT_POSTGRES,	  /* SSLRequest, then TLS */
	ENDPOINT_TLS,		  /* TLS at once */
	ENDPOINT_POSTGRES_DIRECT, /* TLS at once with ALPN "postgresql" (PostgreSQL 17) */
	ENDPOINT__MAX
};
enum rollout_phase { ROLLOUT_TRUST, ROLLOUT_SERVERS, ROLLOUT_CLIENTS, ROLLOUT_PRUNE, ROLLOUT__MAX };
enum hook_kind { HOOK_EXEC, HOOK_WEBHOOK, HOOK_ANSIBLE, HOOK_MANUAL, HOOK__MAX };

/* One run of ansible-playbook. */
struct rollout_step {
	char *playbook;	 /* relative to the repository; NULL only in a hook of another kind */
	char *tags;	 /* "a,b" as --tags takes it; NULL where not given */
	char *skip_tags; /* likewise */
	char *limit;	 /* a host pattern; NULL where not given */
	struct strs extra_args;
	int64_t deadline; /* seconds */
	int64_t canary;	  /* seconds to wait behind it for TLS failures on its hosts; 0: not */
};

struct rollout {
	struct rollout_step *items;
	size_t count;
};

struct endpoint {
	char *name;    /* what its certificate is verified against; unique together with the port */
	char *address; /* where it is contacted; NULL in an environment where it is left out */
	unsigned port;
	enum endpoint_protocol protocol;
};

struct endpoints {
	struct endpoint *items;
	size_t count;
	size_t cap;
};

/*
 * The service where merge requests are opened. NULL, empty or FORGE__MAX: not given; kind, url and
 * project follow from the remote's URL then. At most one of the tokens is given.
 */
struct forge_config {
	enum forge_kind kind;
	char *url;     /* "https://git.example.com:8443/prefix", without a slash at the end */
	char *project; /* "group/subgroup/project" */
	char *token_file;
	char *token_env;
	struct strs token_command;
	char *ca_file; /* for this service alone; as token_file absolute or below the repository */
};

/*
 * Where a JSON text is posted to: see outside/webhook.h. url or url_file; files absolute or below
 * the repository; NULL: not given.
 */
struct webhook_config {
	char *url;
	char *url_file;			/* has the address, where nobody else may know it */
	char *secret_file, *secret_env; /* what requests are signed with: at most one */
	char *ca_file;			/* trusted beside the system's CAs */
};

enum notify_event {
	NOTIFY_START,	 /* a phase begins, or goes on */
	NOTIFY_END,	 /* it is complete */
	NOTIFY_FAILURE,	 /* it stopped with an error */
	NOTIFY_WAITING,	 /* for a merge, a gate, or what people have to do */
	NOTIFY_EXPIRING, /* a certificate comes within its warning period */
	NOTIFY__MAX
};

/* Who is told. */
struct notify {
	size_t number; /* in its list, from 0, for messages: notify[0] */
	struct webhook_config webhook;
	char *template; /* inside the repository; NULL: {"text": "{text}"} */
	bool events[NOTIFY__MAX];
};

struct notifies {
	struct notify *items;
	size_t count;
};

struct environment {
	char *name;
	/* Relative to the repository, inside it (symbolic links counted). */
	char *inventory; /* a file or a folder */
	char *chain;	 /* the chain's description */
	char *certs;
	char *keys;
	char *vault_password; /* absolute or relative to the repository; NULL: as Ansible finds it
			       */
	enum ca_keys ca_keys;
	enum git_flow flow;
	char *base;   /* branch */
	char *remote; /* a remote's name */
	bool push;
	struct forge_config forge;
	struct rollout rollout[ROLLOUT__MAX];
	struct rollout check;	    /* what looks at the hosts' files; empty: nothing does */
	bool endpoints_given;	    /* false: the chain's servers, see environment_endpoints */
	struct endpoints endpoints; /* empty with endpoints_given: nothing is probed */
	char *login_user;
	char *login_database;
	int64_t census_quiet;	 /* seconds */
	unsigned census_samples; /* 0: the census gate is off */
	/* Absolute or relative to the repository; NULL where not given, certificate and key both.
	 */
	char *census_user;
	char *census_certificate;
	char *census_key;
	char *census_playbook; /* inside the repository; NULL: servers are asked over the network */
	struct notifies notify;
};

struct hook {
	enum hook_kind kind;
	char *name;	     /* unique in its list; "KIND N" where not given */
	struct strs command; /* exec: program and arguments, no shell */
	struct webhook_config webhook;
	struct rollout_step play; /* ansible */
	char *text;		  /* manual: what the administrators have to do */
	int64_t deadline;	  /* seconds; not for manual */
};

struct hooks {
	struct hook *items;
	size_t count;
};

/* A client outside the inventory. */
struct application {
	char *name;
	struct strs users; /* at least one */
	char *contact;	   /* "" where not given */
	unsigned wave;	   /* from 1; applications of a lower wave come first */
	struct hooks trust;
	struct hooks clients;
	struct hooks prune;
};

struct config {
	char *root;			  /* the repository: absolute, symbolic links resolved */
	char *file;			  /* certrotate.yml as messages name it */
	bool file_exists;		  /* false: everything is found or default */
	struct environment *environments; /* in the file's order, else sorted by name */
	size_t environment_count;
	struct application *applications; /* in the file's order */
	size_t application_count;
	/* Of all environments and applications: what a child must not inherit. */
	struct strs secret_variables;
};

/*
 * root: the repository. file: another configuration file (relative to root), or NULL for
 * certrotate.yml in root, which may be missing. ERR_USAGE with file, line and path for everything
 * that is wrong in it; out is to be freed with config_free.
 */
int config_load(struct config **out, const char *root, const char *file, struct err *err);
void config_free(struct config *config); /* NULL is fine */

/*
 * The environment of that name; with NULL the only one. ERR_USAGE with the nearest name, or with
 * the list where one has to be named.
 */
int config_find(const struct environment **out, const struct config *config, const char *name,
		struct err *err);
/* ERR_USAGE with the nearest name. */
int config_application(const struct application **out, const struct config *config,
		       const char *name, struct err *err);

/* Whether a name may be an environment's: [A-Za-z0-9._-], not beginning with a dot or dash. */
bool environment_name_valid(const char *name);

/*
 * Whether the inventory, the playbooks and the chain's description can be read, and certs.yml and
 * the keys' vault with need_certs (a first chain has none yet). ERR_USAGE naming the first that
 * cannot, and what to set.
 */
int environment_check_files(const struct config *config, const struct environment *env,
			    bool need_certs, struct err *err);

struct chain_desc;

/*
 * What is probed: the endpoints that are given, else the chain's servers at port 5432, addressed
 * by the inventory's ansible_host where it has one (see hosts.h). An endpoint without an address
 * gets it likewise. Release with endpoints_release.
 */
int environment_endpoints(struct endpoints *out, const struct config *config,
			  const struct environment *env, const struct chain_desc *chain,
			  struct err *err);
void endpoints_leave_out(struct endpoints *endpoints, const struct strs *names);
void endpoints_release(struct endpoints *endpoints);

const char *git_flow_name(enum git_flow flow);
const char *forge_kind_name(enum forge_kind kind); /* "gitlab" */
const char *ca_keys_name(enum ca_keys ca_keys);
const char *endpoint_protocol_name(enum endpoint_protocol protocol);
const char *rollout_phase_name(enum rollout_phase phase);
const char *hook_kind_name(enum hook_kind kind);
const char *notify_event_name(enum notify_event event); /* "start" */

/* The format itself, for certrotate.yml(5), its test and completion. */
struct config_key {
	char *path; /* "defaults.git.flow", "defaults.rollout.trust[].playbook" */
	char *type; /* "text", "path", "duration", "list of texts", "direct or merge_request" */
	const char *fallback; /* the program's value as YAML; "" for none */
	const char *help;     /* one line */
};

struct config_key_list {
	struct config_key *items;
	size_t count;
	size_t cap;
};

/* Every valid key, a mapping before its members; what "defaults" takes, environments.NAME takes. */
int config_keys(struct config_key_list *out, struct err *err);
void config_keys_release(struct config_key_list *list);

#endif
