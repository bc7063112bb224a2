/* SPDX-License-Identifier: PostgreSQL */
#include "state/expect.h"

#include <stddef.h>

/* What has to hold wherever a chain is live. */
#define ALWAYS                                                                                     \
	[CHECK_ENDPOINT] = WANT_YES, [CHECK_TRUSTED] = WANT_YES, [CHECK_NAME] = WANT_YES,          \
	[CHECK_NO_CLIENT] = WANT_OUT, [CHECK_REPLICATION] = WANT_YES, [CHECK_ARCHIVER] = WANT_YES, \
	[CHECK_HOST_FILES] = WANT_YES

static const enum want wants[STATE__MAX][CHECK__MAX] = {
	[STATE_ABSENT] = {[CHECK_ENDPOINT] = WANT_NOTHING},
	[STATE_IDLE] = {ALWAYS, [CHECK_LEAF] = WANT_NEW, [CHECK_CA_NAMES] = WANT_NEW,
			[CHECK_OLD_CLIENT] = WANT_OUT, [CHECK_NEW_CLIENT] = WANT_IN},
	[STATE_GENERATED] = {ALWAYS, [CHECK_LEAF] = WANT_OLD, [CHECK_CA_NAMES] = WANT_OLD,
			     [CHECK_OLD_CLIENT] = WANT_IN, [CHECK_NEW_CLIENT] = WANT_NOTHING},
	[STATE_TRUSTED] = {ALWAYS, [CHECK_LEAF] = WANT_OLD, [CHECK_CA_NAMES] = WANT_BOTH,
			   [CHECK_OLD_CLIENT] = WANT_IN, [CHECK_NEW_CLIENT] = WANT_IN},
	[STATE_SERVERS_SWITCHED] = {ALWAYS, [CHECK_LEAF] = WANT_NEW, [CHECK_CA_NAMES] = WANT_BOTH,
				    [CHECK_OLD_CLIENT] = WANT_IN, [CHECK_NEW_CLIENT] = WANT_IN},
	[STATE_CLIENTS_SWITCHED] = {ALWAYS, [CHECK_LEAF] = WANT_NEW, [CHECK_CA_NAMES] = WANT_BOTH,
				    [CHECK_OLD_CLIENT] = WANT_IN, [CHECK_NEW_CLIENT] = WANT_IN},
};

static const struct {
	const char *name;
	enum severity severity;
	const char *texts[WANT__MAX];
} checks[CHECK__MAX] = {
	[CHECK_ENDPOINT] = {"endpoint", SEVERITY_BLOCK, {[WANT_YES] = "answer with TLS"}},
	[CHECK_LEAF] = {"leaf-served",
			SEVERITY_BLOCK,
			{[WANT_OLD] = "serve the old certificate",
			 [WANT_NEW] = "serve the new certificate"}},
	[CHECK_TRUSTED] = {"leaf-trusted",
			   SEVERITY_BLOCK,
			   {[WANT_YES] = "are trusted by clients with today's bundle"}},
	[CHECK_NAME] = {"leaf-name",
			SEVERITY_WARNING,
			{[WANT_YES] = "have a certificate made out for their name"}},
	[CHECK_CA_NAMES] = {"ca-names",
			    SEVERITY_BLOCK,
			    {[WANT_OLD] = "announce the old CAs alone",
			     [WANT_NEW] = "announce the new CAs alone",
			     [WANT_BOTH] = "announce the CAs of both generations"}},
	[CHECK_OLD_CLIENT] = {"client-login",
			      SEVERITY_BLOCK,
			      {[WANT_IN] = "let the old client certificate in",
			       [WANT_OUT] = "refuse the old client certificate"}},
	[CHECK_NEW_CLIENT] = {"client-login",
			      SEVERITY_BLOCK,
			      {[WANT_IN] = "let the new client certificate in",
			       [WANT_OUT] = "refuse the new client certificate"}},
	[CHECK_NO_CLIENT] = {"client-none",
			     SEVERITY_WARNING,
			     {[WANT_OUT] = "refuse who shows no certificate"}},
	[CHECK_REPLICATION] = {"replication", SEVERITY_BLOCK, {[WANT_YES] = "replicate"}},
	[CHECK_ARCHIVER] = {"archiver",
			    SEVERITY_BLOCK,
			    {[WANT_YES] = "archive without new failures"}},
	[CHECK_HOST_FILES] = {"host-files",
			      SEVERITY_BLOCK,
			      {[WANT_YES] = "have files that a restart would take"}},
};

static const char *const want_names[WANT__MAX] = {
	[WANT_NOTHING] = "nothing", [WANT_OLD] = "old", [WANT_NEW] = "new", [WANT_BOTH] = "both",
	[WANT_IN] = "in",	    [WANT_OUT] = "out", [WANT_YES] = "yes",
};

enum want expect(enum state state, enum check check)
{
	return wants[state][check];
}

const char *check_name(enum check check)
{
	return checks[check].name;
}

enum severity check_severity(enum check check)
{
	return checks[check].severity;
}

const char *expect_text(enum check check, enum want want)
{
	return checks[check].texts[want];
}

const char *want_name(enum want want)
{
	return want_names[want];
}
