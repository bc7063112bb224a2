/* SPDX-License-Identifier: PostgreSQL */
/* The parts of reading an inventory: one file for each format, and what they add hosts with. */
#ifndef INVENTORY_HOSTS_READ_H
#define INVENTORY_HOSTS_READ_H

#include "base/err.h"
#include "inventory/hosts.h"

/*
 * Adds a host, or what is new about one that is there: address NULL leaves the address as it is.
 * pattern may hold ranges ("db[01:03].example.com", "db[a:c]", "n[0:8:2]").
 */
int hosts_add(struct hosts *hosts, const char *pattern, const char *address, bool top,
	      struct err *err);
/* Whether a value of ansible_host can be taken as it stands: not empty, no template, one word. */
bool hosts_address_usable(const char *value);
/* Expands ranges; the pattern itself where it holds none. ERR_USAGE for a range that is none. */
int hosts_expand(struct strs *out, const char *pattern, struct err *err);

/* Both: ERR_USAGE with "NAME:LINE: …" where the text is no inventory of that format. */
int hosts_read_ini(struct hosts *hosts, const char *text, const char *name, struct err *err);
int hosts_read_yaml(struct hosts *hosts, const char *text, size_t len, const char *name,
		    struct err *err);
/* The ansible_host of a file of host variables, added to that host. */
int hosts_read_vars(struct hosts *hosts, const char *host, const char *text, size_t len,
		    const char *name, struct err *err);

#endif
