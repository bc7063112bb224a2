/* SPDX-License-Identifier: PostgreSQL */
/*
 * Large texts on large pages: where the kernel gives them on request only, a fault for each 4 kB is
 * a third of the time of reading a vault of 100 MB. See madvise(2), MADV_HUGEPAGE.
 */
#ifndef BASE_HUGE_H
#define BASE_HUGE_H

#include <stddef.h>

/* A wish for the pages that these bytes are in; nothing for few. Never an error. */
void huge_pages(void *memory, size_t size);

#endif
