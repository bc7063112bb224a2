/* SPDX-License-Identifier: PostgreSQL */
#include "proc/timers.h"

static bool before(const struct loop_timer *a, const struct loop_timer *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

/* Two roots become one. */
static struct loop_timer *meld(struct loop_timer *a, struct loop_timer *b)
{
	if (!a || !b)
		return a ? a : b;
	if (before(b, a)) {
		struct loop_timer *swap = a;

		a = b;
		b = swap;
	}
	b->next = a->child;
	if (a->child)
		a->child->prev = b;
	b->prev = a;
	a->child = b;
	a->next = a->prev = NULL;
	return a;
}

/* A row of siblings becomes one heap: in pairs first, which makes removal O(log n) amortised. */
static struct loop_timer *meld_row(struct loop_timer *first)
{
	struct loop_timer *pairs = NULL, *root = NULL;

	while (first) {
		struct loop_timer *a = first, *b = first->next;

		first = b ? b->next : NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct loop_timer *next = pairs->next;

		pairs->next = NULL;
		root = meld(root, pairs);
		pairs = next;
	}
	if (root)
		root->prev = root->next = NULL;
	return root;
}

void timers_push(struct loop_timer **root, struct loop_timer *timer)
{
	timer->child = timer->next = timer->prev = NULL;
	*root = meld(*root, timer);
}

void timers_remove(struct loop_timer **root, struct loop_timer *timer)
{
	if (*root == timer) {
		*root = meld_row(timer->child);
	} else {
		if (timer->prev->child == timer)
			timer->prev->child = timer->next;
		else
			timer->prev->next = timer->next;
		if (timer->next)
			timer->next->prev = timer->prev;
		*root = meld(*root, meld_row(timer->child));
	}
	timer->child = timer->next = timer->prev = NULL;
}
