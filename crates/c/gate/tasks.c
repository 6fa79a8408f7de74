/* Selvedge: what tasks of scenarios do that is not one kernel function. Instrumented. */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/buffer_head.h>
#include <selvedge.h>

/* For schedule(): is there a signal that ends this sleep? */
int sv_signal_pending_state(unsigned int state, struct task_struct *p)
{
	return signal_pending_state(state, p);
}

/* What a SIGKILL comes to once its target is chosen. */
void sv_send_sigkill(struct task_struct *p)
{
	sigaddset(&p->pending.signal, SIGKILL);
	set_tsk_thread_flag(p, TIF_SIGPENDING);
	wake_up_state(p, TASK_WAKEKILL | TASK_INTERRUPTIBLE);
}

/* What is inline in the kernel. */
int sv_folio_trylock(struct folio *folio)
{
	return folio_trylock(folio);
}

void sv_folio_lock(struct folio *folio)
{
	folio_lock(folio);
}

int sv_folio_lock_killable(struct folio *folio)
{
	return folio_lock_killable(folio);
}

/* The slab allocator gets a buffer head back. */
static int sv_freed_bhs[4];

static int sv_number_of_bh(void *bh)
{
	int nr = 0;

	while (sv_bh(nr) && sv_bh(nr) != bh)
		nr++;
	return nr;
}

void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	WRITE_ONCE(sv_freed_bhs[sv_number_of_bh(object)], 1);
}

/* Finds a bh and looks whether it is there: 1 if it has been freed. */
extern struct buffer_head *sv_lookup_bh_lru(void);
int sv_find_bh(void)
{
	struct buffer_head *bh = sv_lookup_bh_lru();

	return bh && READ_ONCE(sv_freed_bhs[sv_number_of_bh(bh)]);
}

int sv_try_to_free_buffers(struct folio *folio)
{
	return try_to_free_buffers(folio);
}

void sv_brelse(struct buffer_head *bh)
{
	brelse(bh);
}

int sv_at_end_lookup_vs_free(void)
{
	return sv_freed_bhs[0] && atomic_read(&sv_bh(0)->b_count) > 0;
}
