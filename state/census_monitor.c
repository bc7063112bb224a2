/* SPDX-License-Identifier: PostgreSQL */
/* The certificate that a timer counts with: files of this machine, not of the inventory. */
#include <errno.h>
#include <string.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "pki/bundle.h"
#include "pki/key.h"
#include "state/census_internal.h"

#define PEM_MAX ((size_t)1 << 20)

static int unusable(struct err *err, int rc)
{
	if (!rc)
		return 0;
	rc = err_blame(err, rc, ERR_USAGE);
	err_hint_default(err,
			 "census.certificate and census.key in certrotate.yml name a certificate "
			 "and its key on this machine");
	return rc;
}

static int check_leaf(const struct census_monitor *monitor, const struct session *session,
		      const char *path, struct err *err)
{
	const struct cert *leaf = monitor->chain.items[0];
	const char *user = session->env->census_user, *cn = cert_common_name(leaf);
	enum cert_validity validity = cert_validity(leaf, session->sys->now(session->sys));
	char text[SYS_TIME_SIZE];

	if (!cn[0]) {
		err_set(err, ERR_USAGE, "%s has no common name, hence no user", path);
		return err_hint(err, "PostgreSQL lets in whom the certificate names: make one for "
				     "the user who counts");
	}
	if (user && strcmp(user, cn) != 0) {
		err_set(err, ERR_USAGE, "%s is made out for '%s', and census.user is '%s'", path,
			cn, user);
		return err_hint(err,
				"PostgreSQL lets in whom the certificate names: give '%s' one "
				"of its own",
				user);
	}
	if (validity == CERT_VALID)
		return 0;
	sys_time_text(validity == CERT_EXPIRED ? cert_not_after(leaf) : cert_not_before(leaf),
		      text);
	err_set(err, ERR_FAIL, "%s %s %s", path,
		validity == CERT_EXPIRED ? "expired at" : "is not valid before", text);
	return err_hint(err, "bring the new certificate of user '%s' and its key to this machine",
			cn);
}

/* Before it is read: a key that others could read is not a secret any more. */
static int check_key_file(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(err, errno, "cannot read %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_USAGE, "%s is no file", path);
	if (!(st.st_mode & 077))
		return 0;
	err_set(err, ERR_USAGE, "%s can be read by others (mode %04o)", path,
		(unsigned)st.st_mode & 07777U);
	return err_hint(err, "chmod 0600 %s; and think of whether somebody has read it", path);
}

static int load_key(struct census_monitor *monitor, struct session *session, const char *path,
		    struct err *err)
{
	struct key *key = NULL;
	int rc = check_key_file(path, err);

	rc = rc ? rc : secret_read_file(&monitor->key, session->arena, path, PEM_MAX, err);
	rc = rc ? rc : key_from_pem(&key, &monitor->key, path, err);
	if (!rc && !key_matches(key, monitor->chain.items[0]))
		rc = err_set(err, ERR_USAGE, "%s is not the key to %s", path,
			     session->env->census_certificate);
	key_free(key);
	return rc;
}

int census_monitor_load(struct census_monitor *out, struct session *session, struct err *err)
{
	const struct environment *env = session->env;
	const char *root = repo_root(session->repo);
	char *cert_path = path_join(root, env->census_certificate);
	char *key_path = path_join(root, env->census_key);
	int rc = cert_path && key_path ? 0 : err_nomem(err);

	*out = (struct census_monitor){.chain = BUNDLE_INIT};
	buf_init(&out->pem, PEM_MAX);
	rc = rc ? rc : unusable(err, file_read(&out->pem, cert_path, PEM_MAX, err));
	rc = rc ? rc
		: unusable(err, bundle_from_pem(&out->chain, out->pem.data, out->pem.len, cert_path,
						err));
	rc = rc ? rc : check_leaf(out, session, cert_path, err);
	rc = rc ? rc : unusable(err, load_key(out, session, key_path, err));
	if (!rc)
		out->login = (struct census_login){.user = cert_common_name(out->chain.items[0]),
						   .cert_pem = out->pem.data,
						   .key = &out->key,
						   .cert = out->chain.items[0]};
	free(cert_path);
	free(key_path);
	if (rc)
		census_monitor_release(out);
	return rc;
}

void census_monitor_release(struct census_monitor *monitor)
{
	buf_release(&monitor->pem);
	bundle_release(&monitor->chain);
	secret_wipe(&monitor->key);
	monitor->login = (struct census_login){0};
}
