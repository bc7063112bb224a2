/* SPDX-License-Identifier: PostgreSQL */
#include "base/huge.h"

#include <stdint.h>
#include <sys/mman.h>

#define PAGE	 ((size_t)4096)
#define SIZE_MIN ((size_t)4 << 20) /* two large pages of x86-64 at least */

void huge_pages(void *memory, size_t size)
{
	size_t before = (uintptr_t)memory % PAGE;

	if (size < SIZE_MIN)
		return;
	/* Outwards: a mapping that is cut in two cannot be moved any more by realloc(3). */
	(void)madvise((char *)memory - before, (before + size + PAGE - 1) / PAGE * PAGE,
		      MADV_HUGEPAGE);
}
