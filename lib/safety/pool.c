/* SPDX-License-Identifier: PostgreSQL */
#include "safety/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64
#define PROGRESS_MS 200

struct run {
	const struct pool *pool;
	size_t count;
	atomic_size_t next;
	atomic_bool failed;
	pthread_mutex_t lock; /* of err and code */
	struct err *err;
	int code;
};

static void note_failure(struct run *run, int code, const struct err *err)
{
	(void)pthread_mutex_lock(&run->lock);
	if (!run->code) {
		run->code = code;
		if (run->err)
			*run->err = *err;
	}
	(void)pthread_mutex_unlock(&run->lock);
	atomic_store(&run->failed, true);
}

static long long now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void work(struct run *run, bool shows_progress)
{
	const struct pool *pool = run->pool;
	long long shown = now_ms();
	struct err err = {0};
	void *local = NULL;
	int rc = pool->local_new ? pool->local_new(&local, pool->ctx, &err) : 0;

	while (!rc && !atomic_load(&run->failed)) {
		size_t i = atomic_fetch_add(&run->next, 1);

		if (i >= run->count)
			break;
		rc = pool->job(pool->ctx, local, i, &err);
		if (shows_progress && now_ms() - shown >= PROGRESS_MS) {
			log_progress(pool->log, "%s: %zu of %zu", pool->what, i, run->count);
			shown = now_ms();
		}
	}
	if (rc)
		note_failure(run, rc, &err);
	if (local && pool->local_free)
		pool->local_free(local);
}

static void *thread_main(void *arg)
{
	work(arg, false);
	return NULL;
}

int pool_run(const struct pool *pool, size_t count, struct err *err)
{
	struct run run = {.pool = pool, .count = count, .err = err};
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t threads = pool->threads ? pool->threads : cpus > 0 ? (size_t)cpus : 1;
	pthread_t ids[THREADS_MAX] = {0};
	size_t started = 0;

	threads = threads > THREADS_MAX ? THREADS_MAX : threads;
	threads = threads > count ? count : threads;
	(void)pthread_mutex_init(&run.lock, NULL);
	/* fewer threads than wished for only take longer */
	while (started + 1 < threads && pthread_create(&ids[started], NULL, thread_main, &run) == 0)
		started++;
	work(&run, true);
	for (size_t i = 0; i < started; i++)
		(void)pthread_join(ids[i], NULL);
	(void)pthread_mutex_destroy(&run.lock);
	log_progress(pool->log, "%s", "");
	return run.code;
}
