/* SPDX-License-Identifier: PostgreSQL */
#include "inventory/schema.h"

#include "inventory/config.h"

#define YEAR_S ((int64_t)366 * 86400)
#define DAY_S  INT64_C(86400)

static const char *const ca_keys_choices[] = {"keep", "discard", NULL};
static const char *const flow_choices[] = {"direct", "merge_request", NULL};
static const char *const forge_choices[] = {"gitlab", "github", "forgejo", NULL};
static const char *const protocol_choices[] = {"postgres", "tls", "postgres-direct", NULL};
static const char *const hook_choices[] = {"exec", "webhook", "ansible", "manual", NULL};

/* clang-format off */
static const struct schema forge_members[] = {
	{.key = "kind", .type = SCHEMA_CHOICE, .choices = forge_choices,
	 .help = "which service it is, forgejo for Gitea too; left out: by the host's name"},
	{.key = "url", .type = SCHEMA_TEXT,
	 .help = "its address, with a port and a path where it has one; left out: the remote's"},
	{.key = "project", .type = SCHEMA_TEXT,
	 .help = "the project there, with its groups; left out: the path of the remote"},
	{.key = "token_file", .type = SCHEMA_FILE,
	 .help = "a file with the access token, which nobody else may read"},
	{.key = "token_env", .type = SCHEMA_TEXT,
	 .help = "the environment variable that holds the access token"},
	{.key = "token_command", .type = SCHEMA_TEXTS,
	 .help = "a program and its arguments, run without a shell, that prints the access token"},
	{.key = "ca_file", .type = SCHEMA_FILE,
	 .help = "PEM certificates that its certificate is verified against; left out: the system's"},
	{0},
};

static const struct schema git_members[] = {
	{.key = "flow", .type = SCHEMA_CHOICE, .fallback = "direct", .choices = flow_choices,
	 .help = "push commits onto the base, or a branch and a merge request for each phase"},
	{.key = "base", .type = SCHEMA_TEXT, .fallback = "dev",
	 .help = "the branch that says what is live"},
	{.key = "remote", .type = SCHEMA_TEXT, .fallback = "origin",
	 .help = "the remote that the team shares"},
	{.key = "push", .type = SCHEMA_BOOL, .fallback = "true",
	 .help = "false: commit only, for a repository without a remote"},
	{.key = "forge", .type = SCHEMA_MAPPING, .members = forge_members,
	 .help = "where merge requests are opened by the program; without a token people do it"},
	{0},
};

#define STEP                                                                                       \
	{.key = "playbook", .type = SCHEMA_PATH, .required = true, .help = "the playbook to run"},   \
	{.key = "tags", .type = SCHEMA_WORDS, .help = "run these tags only"},                        \
	{.key = "skip_tags", .type = SCHEMA_WORDS, .help = "leave these tags out"},                  \
	{.key = "limit", .type = SCHEMA_TEXT, .help = "a host pattern, as --limit takes it"},        \
	{.key = "extra_args", .type = SCHEMA_TEXTS, .fallback = "[]",                                \
	 .help = "further arguments of ansible-playbook"},                                           \
	{.key = "deadline", .type = SCHEMA_DURATION, .fallback = "1h", .min = 1, .max = 7 * DAY_S,   \
	 .help = "the run is stopped after this time"}
static const struct schema step_members[] = {
	STEP,
	{.key = "canary", .type = SCHEMA_DURATION, .min = 1, .max = 7 * DAY_S,
	 .help = "how long TLS failures on its hosts are waited for before the next step"},
	{0},
};

static const struct schema check_members[] = {
	STEP,
	{0},
};

#define ROLLOUT(phase, text)                                                                       \
	{.key = (phase), .type = SCHEMA_ITEMS, .fallback = "[{playbook: rollout_new_certs.yml}]",    \
	 .members = step_members, .help = (text)}
static const struct schema rollout_members[] = {
	ROLLOUT("trust", "steps that bring the bundles with both generations to the hosts"),
	ROLLOUT("servers", "steps that bring new server certificates and keys to the hosts"),
	ROLLOUT("clients", "steps that bring new client certificates and keys to the hosts"),
	ROLLOUT("prune", "steps that bring the bundles without the old generation to the hosts"),
	{.key = "check", .type = SCHEMA_ITEMS, .fallback = "[{playbook: check_certs.yml}]",
	 .members = check_members,
	 .help = "steps that look at the files on the hosts; left out: where that playbook is there"},
	{0},
};

static const struct schema endpoint_members[] = {
	{.key = "name", .type = SCHEMA_TEXT, .required = true,
	 .help = "the host name that its certificate is verified against"},
	{.key = "address", .type = SCHEMA_TEXT,
	 .help = "where it is contacted; left out: ansible_host, else the name"},
	{.key = "port", .type = SCHEMA_INT, .fallback = "5432", .min = 1, .max = 65535,
	 .help = "the TCP port"},
	{.key = "protocol", .type = SCHEMA_CHOICE, .fallback = "postgres",
	 .choices = protocol_choices,
	 .help = "how TLS begins: after an SSLRequest, at once, or at once with PostgreSQL's ALPN"},
	{0},
};

static const struct schema login_members[] = {
	{.key = "user", .type = SCHEMA_TEXT, .fallback = "postgres",
	 .help = "the role for the census; it has a client certificate"},
	{.key = "database", .type = SCHEMA_TEXT, .fallback = "postgres",
	 .help = "the database for login probes and the census"},
	{0},
};

static const struct schema census_members[] = {
	{.key = "quiet", .type = SCHEMA_DURATION, .fallback = "24h", .min = 0, .max = YEAR_S,
	 .help = "how long nobody may have used the old generation before prune"},
	{.key = "samples", .type = SCHEMA_INT, .fallback = "4", .min = 0, .max = 10000,
	 .help = "how many censuses prune needs in that time; 0 turns the census gate off"},
	{.key = "user", .type = SCHEMA_TEXT,
	 .help = "the role of census --record; left out: the name in census.certificate"},
	{.key = "certificate", .type = SCHEMA_FILE,
	 .help = "its certificate, a PEM file on this machine, for a timer without vault password"},
	{.key = "key", .type = SCHEMA_FILE,
	 .help = "the certificate's key, not encrypted; a file that nobody else can read"},
	{.key = "playbook", .type = SCHEMA_PATH,
	 .help = "asks the servers through Ansible instead, over their local sockets"},
	{0},
};

static const struct schema notify_members[] = {
	{.key = "url", .type = SCHEMA_TEXT, .help = "where the notification is posted to"},
	{.key = "url_file", .type = SCHEMA_FILE,
	 .help = "a file with that address, where nobody else may know it"},
	{.key = "template", .type = SCHEMA_PATH,
	 .help = "the JSON text that is posted; left out: {\"text\": \"{text}\"}"},
	{.key = "events", .type = SCHEMA_TEXTS,
	 .fallback = "[start, end, failure, waiting, expiring]", .help = "what is told"},
	{.key = "secret_file", .type = SCHEMA_FILE,
	 .help = "a file with the secret that the request is signed with"},
	{.key = "secret_env", .type = SCHEMA_TEXT,
	 .help = "the environment variable that has the secret"},
	{.key = "ca_file", .type = SCHEMA_FILE,
	 .help = "PEM certificates that are trusted beside the system's"},
	{0},
};

static const struct schema environment_members[] = {
	{.key = "inventory", .type = SCHEMA_PATH, .fallback = "environments/{env}",
	 .help = "inventory file or folder, given to ansible-playbook -i"},
	{.key = "chain", .type = SCHEMA_PATH, .fallback = "config/chainsmith_{env}.yml",
	 .help = "the chain's description; where it is missing, config/chainsmith.yml"},
	{.key = "certs", .type = SCHEMA_PATH,
	 .fallback = "environments/{env}/group_vars/all/certs.yml",
	 .help = "the file with the certificates"},
	{.key = "keys", .type = SCHEMA_PATH,
	 .fallback = "environments/{env}/group_vars/all/certs.vault.yml",
	 .help = "the vault with the private keys; where it is missing, certsvault.yml beside it"},
	{.key = "vault_password", .type = SCHEMA_FILE, .fallback = "null",
	 .help = "a file or an executable with the vault's password; null: as Ansible finds it"},
	{.key = "ca_keys", .type = SCHEMA_CHOICE, .fallback = "keep", .choices = ca_keys_choices,
	 .help = "keep the authorities' private keys in a vault, or discard them after issuing"},
	{.key = "git", .type = SCHEMA_MAPPING, .members = git_members,
	 .help = "where commits go"},
	{.key = "rollout", .type = SCHEMA_MAPPING, .members = rollout_members,
	 .help = "what Ansible runs in each phase, a list of steps; [] for none"},
	{.key = "endpoints", .type = SCHEMA_ITEMS, .members = endpoint_members,
	 .help = "what is probed; left out: the chain's servers at port 5432; [] for nothing"},
	{.key = "login", .type = SCHEMA_MAPPING, .members = login_members,
	 .help = "who logs in for the login probes and the census"},
	{.key = "census", .type = SCHEMA_MAPPING, .members = census_members,
	 .help = "when the old generation counts as unused"},
	{.key = "notify", .type = SCHEMA_ITEMS, .fallback = "[]", .members = notify_members,
	 .help = "who is told when a phase begins, ends, fails or waits, and what expires"},
	{0},
};

static const struct schema hook_members[] = {
	{.key = "kind", .type = SCHEMA_CHOICE, .required = true, .choices = hook_choices,
	 .help = "a program, an HTTP request, a playbook, or something that people do"},
	{.key = "name", .type = SCHEMA_TEXT, .help = "how messages call it; left out: kind and number"},
	{.key = "command", .type = SCHEMA_TEXTS,
	 .help = "exec: the program and its arguments, run without a shell"},
	{.key = "url", .type = SCHEMA_TEXT, .help = "webhook: where the request goes"},
	{.key = "url_file", .type = SCHEMA_FILE,
	 .help = "webhook: a file with that address, where nobody else may know it"},
	{.key = "secret_file", .type = SCHEMA_FILE,
	 .help = "webhook: a file with the secret that the request is signed with"},
	{.key = "secret_env", .type = SCHEMA_TEXT,
	 .help = "webhook: the environment variable that has the secret"},
	{.key = "ca_file", .type = SCHEMA_FILE,
	 .help = "webhook: PEM certificates that are trusted beside the system's"},
	{.key = "playbook", .type = SCHEMA_PATH, .help = "ansible: the playbook to run"},
	{.key = "tags", .type = SCHEMA_WORDS, .help = "ansible: run these tags only"},
	{.key = "skip_tags", .type = SCHEMA_WORDS, .help = "ansible: leave these tags out"},
	{.key = "limit", .type = SCHEMA_TEXT, .help = "ansible: a host pattern"},
	{.key = "extra_args", .type = SCHEMA_TEXTS,
	 .help = "ansible: further arguments of ansible-playbook"},
	{.key = "text", .type = SCHEMA_PROSE,
	 .help = "manual: what has to be done before the application is acknowledged"},
	{.key = "deadline", .type = SCHEMA_DURATION, .fallback = "1h", .min = 1, .max = 7 * DAY_S,
	 .help = "the hook is stopped after this time; a webhook's is 60s where left out"},
	{0},
};

#define HOOKS(phase, text)                                                                         \
	{.key = (phase), .type = SCHEMA_ITEMS, .fallback = "[]", .members = hook_members, .help = (text)}
static const struct schema application_members[] = {
	{.key = "users", .type = SCHEMA_TEXTS, .required = true,
	 .help = "the database users whose certificates it holds"},
	{.key = "contact", .type = SCHEMA_TEXT, .help = "whom to reach"},
	{.key = "wave", .type = SCHEMA_INT, .fallback = "1", .min = 1, .max = 1000,
	 .help = "applications of a lower wave come first"},
	HOOKS("trust", "hooks that bring it the bundle with both generations"),
	HOOKS("clients", "hooks that bring it its new certificates and keys"),
	HOOKS("prune", "hooks that bring it the bundle without the old generation"),
	{0},
};

static const struct schema root_members[] = {
	{.key = "version", .type = SCHEMA_INT, .required = true, .min = 1, .max = 1,
	 .help = "the version of this format: 1"},
	{.key = "defaults", .type = SCHEMA_MAPPING, .members = environment_members,
	 .help = "what every environment has unless it says otherwise"},
	{.key = "environments", .type = SCHEMA_NAMED, .members = environment_members,
	 .help = "by name, with the keys of defaults; left out: every folder of environments/"},
	{.key = "applications", .type = SCHEMA_NAMED, .fallback = "{}",
	 .members = application_members,
	 .help = "clients outside the inventory, by name"},
	{0},
};
/* clang-format on */

const struct schema schema_root = {
	.key = "", .type = SCHEMA_MAPPING, .help = "certrotate.yml", .members = root_members};
