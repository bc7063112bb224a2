/* SPDX-License-Identifier: PostgreSQL */
/* Many keys over all processors: making them is what a new generation's time goes into. */
#include "pki/internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_NS 200000000L
#define THREADS_MAX 64u

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct key **out;
	const enum key_alg *algs;
	size_t n;
	size_t next; /* the next one to be taken */
	size_t done;
	unsigned running; /* threads */
	atomic_bool stop;
	int rc; /* the first failure */
	struct err *err;
};

static void *work(void *arg)
{
	struct pool *pool = arg;
	struct err err = {0};

	(void)pthread_mutex_lock(&pool->lock);
	while (pool->next < pool->n && !atomic_load(&pool->stop)) {
		size_t i = pool->next++;
		int rc;

		(void)pthread_mutex_unlock(&pool->lock);
		rc = key_generate_until(&pool->out[i], pool->algs[i], &pool->stop, &err);
		(void)pthread_mutex_lock(&pool->lock);
		if (!rc) {
			pool->done++;
		} else if (!pool->rc) {
			pool->rc = rc;
			if (pool->err)
				*pool->err = err;
			atomic_store(&pool->stop, true);
		}
		(void)pthread_cond_signal(&pool->changed);
	}
	pool->running--;
	(void)pthread_cond_signal(&pool->changed);
	(void)pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static unsigned start(struct pool *pool, pthread_t *threads, unsigned wanted)
{
	sigset_t all, before;
	unsigned n = 0;

	/* Signals belong to the caller's thread, whose progress function looks for them. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pool->running = wanted;
	(void)pthread_mutex_lock(&pool->lock);
	while (n < wanted && pthread_create(&threads[n], NULL, work, pool) == 0)
		n++;
	pool->running = n;
	(void)pthread_mutex_unlock(&pool->lock);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return n;
}

static void watch(struct pool *pool, int (*progress)(void *ctx, size_t done, size_t total),
		  void *ctx)
{
	size_t told = 0;

	(void)pthread_mutex_lock(&pool->lock);
	while (pool->running || told < pool->done) {
		struct timespec until;

		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += PROGRESS_NS;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_nsec -= 1000000000L;
			until.tv_sec++;
		}
		if (told == pool->done)
			(void)pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
		told = pool->done;
		(void)pthread_mutex_unlock(&pool->lock);
		if (progress && !atomic_load(&pool->stop) && progress(ctx, told, pool->n))
			atomic_store(&pool->stop, true);
		(void)pthread_mutex_lock(&pool->lock);
	}
	(void)pthread_mutex_unlock(&pool->lock);
}

static unsigned thread_count(unsigned asked, size_t n)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned count = asked ? asked : (online > 0 ? (unsigned)online : 1);

	if (count > THREADS_MAX)
		count = THREADS_MAX;
	return count > n ? (unsigned)n : count;
}

static int pool_init(struct pool *pool)
{
	pthread_condattr_t attr;
	int failed;

	if (pthread_condattr_init(&attr) != 0)
		return -1;
	failed = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0 ||
		 pthread_cond_init(&pool->changed, &attr) != 0;
	(void)pthread_condattr_destroy(&attr);
	if (failed)
		return -1;
	if (pthread_mutex_init(&pool->lock, NULL) != 0) {
		(void)pthread_cond_destroy(&pool->changed);
		return -1;
	}
	return 0;
}

int keys_generate(struct key **out, const enum key_alg *algs, size_t n, unsigned threads,
		  int (*progress)(void *ctx, size_t done, size_t total), void *ctx, struct err *err)
{
	struct pool pool = {.out = out, .algs = algs, .n = n, .err = err};
	pthread_t ids[THREADS_MAX];
	unsigned count = thread_count(threads, n);
	unsigned started;
	int rc;

	if (n == 0)
		return 0;
	memset(out, 0, n * sizeof(struct key *));
	if (pool_init(&pool))
		return err_nomem(err);
	started = start(&pool, ids, count);
	if (!started)
		pool.rc = err_sys(err, EAGAIN, "cannot start a thread to make keys");
	watch(&pool, progress, ctx);
	for (unsigned i = 0; i < started; i++)
		(void)pthread_join(ids[i], NULL);
	rc = pool.rc;
	if (!rc && pool.done < n)
		rc = err_set(err, ERR_STOPPED, "stopped after %zu of %zu keys", pool.done, n);
	for (size_t i = 0; rc && i < n; i++) {
		key_free(out[i]);
		out[i] = NULL;
	}
	(void)pthread_cond_destroy(&pool.changed);
	(void)pthread_mutex_destroy(&pool.lock);
	return rc;
}
