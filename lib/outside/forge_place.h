/* SPDX-License-Identifier: PostgreSQL */
/* Which forge a project is on, and where: from the configuration and the URL of the remote. */
#ifndef OUTSIDE_FORGE_PLACE_H
#define OUTSIDE_FORGE_PLACE_H

#include <stdbool.h>
#include "base/buf.h"
#include "base/err.h"
#include "inventory/config.h"

struct forge_place {
	enum forge_kind kind; /* FORGE__MAX: not known; the rest may be NULL then */
	char *address; /* "https://git.example.com:8443/prefix": without a user or password */
	char *project; /* "group/subgroup/project" */
};

/*
 * What config says goes before what the remote's URL (ssh, scp-like, https or http) says. The port
 * of an ssh URL is not the web's and is left out. Where something stays unknown the kind is
 * FORGE__MAX and project NULL: there is no forge then, as far as can be told. Fails for want of
 * memory alone.
 */
int forge_place_find(struct forge_place *out, const struct forge_config *config,
		     const char *remote_url, struct err *err);
void forge_place_release(struct forge_place *place);

/* ERR_USAGE naming what has to be set in certrotate.yml so that the forge can be talked to. */
int forge_place_check(const struct forge_place *place, const char *remote, struct err *err);

/* The page that opens a merge request from branch to base. Empty where the forge is not known. */
int forge_place_page(struct buf *out, const struct forge_place *place, const char *branch,
		     const char *base, struct err *err);

/*
 * A path of the API (forge_table.h) with everything replaced and encoded (RFC 3986, section 2.3),
 * behind the address. branch and base may be NULL where the path has none.
 */
int forge_place_call(struct buf *out, const struct forge_place *place, const char *path,
		     const char *branch, const char *base, int64_t number, unsigned page,
		     struct err *err);

#endif
