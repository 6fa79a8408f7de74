/* Selvedge: what a kernel has besides the files under test, as its boot would have left it. Not instrumented. */
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/buffer_head.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/workqueue.h>
#include <linux/swap.h>
#include <linux/pagemap.h>

#define SV_TASKS 24
#define SV_FOLIOS 8
#define SV_BHS 4

unsigned long __per_cpu_offset[NR_CPUS];
struct cpumask __cpu_possible_mask, __cpu_online_mask, __cpu_present_mask, __cpu_active_mask;
unsigned int nr_cpu_ids;
struct pglist_data contig_page_data;
/* Only ever handed to queue_work_on(), which does not look. */
struct workqueue_struct *mm_percpu_wq = (void *)8;

/* The names of these say in tables what is theirs: task2->__state. */
struct task_struct sv_tasks[SV_TASKS];
struct folio sv_folios[SV_FOLIOS];
struct buffer_head sv_bhs[SV_BHS];

struct task_struct *sv_task(int i) { return i < SV_TASKS ? &sv_tasks[i] : NULL; }
struct folio *sv_folio(int i) { return i < SV_FOLIOS ? &sv_folios[i] : NULL; }
struct buffer_head *sv_bh(int i) { return i < SV_BHS ? &sv_bhs[i] : NULL; }

/* Where schedule() and try_to_wake_up() look. */
void *sv_task_state(struct task_struct *t) { return &t->__state; }
void *sv_task_pi_lock(struct task_struct *t) { return &t->pi_lock; }
void *sv_wait_task(struct wait_queue_entry *w) { return &w->private; }
void *sv_work_func(struct work_struct *w) { return &w->func; }
void *sv_work_data(struct work_struct *w) { return &w->data; }

/* For set-ups and for checks at the end. */
int sv_bh_count(struct buffer_head *bh) { return atomic_read(&bh->b_count); }
int sv_folio_refs(struct folio *folio) { return folio_ref_count(folio); }
int sv_folio_flag(struct folio *folio, int nr) { return folio->flags >> nr & 1; }
int sv_folio_mlock_count(struct folio *folio) { return folio->mlock_count; }
int sv_bh_number(void) { return SV_BHS; }

/* On none (0), on one that reclaim scans (1), on the unevictable one (2), which has no links. */
int sv_folio_list(struct folio *folio)
{
	struct lruvec *lruvec = &contig_page_data.__lruvec;
	struct list_head *at;
	int i;

	for_each_evictable_lru(i)
		list_for_each(at, &lruvec->lists[i])
			if (at == &folio->lru)
				return 1;
	return folio_test_unevictable(folio) && folio_test_lru(folio) ? 2 : 0;
}

/* As a folio that has been added, and that nobody isolated. */
void sv_list_folio(struct folio *folio)
{
	struct lruvec *lruvec = &contig_page_data.__lruvec;

	folio->flags |= 1UL << PG_lru | 1UL << PG_swapbacked;
	list_add(&folio->lru, &lruvec->lists[LRU_INACTIVE_ANON]);
}

void sv_init(int cpus, unsigned long percpu_size)
{
	struct lruvec *lruvec = &contig_page_data.__lruvec;
	unsigned long mask = (1UL << cpus) - 1;
	int i;

	nr_cpu_ids = cpus;
	cpumask_bits(&__cpu_possible_mask)[0] = mask;
	cpumask_bits(&__cpu_online_mask)[0] = mask;
	cpumask_bits(&__cpu_present_mask)[0] = mask;
	cpumask_bits(&__cpu_active_mask)[0] = mask;
	for (i = 0; i < cpus; i++)
		__per_cpu_offset[i] = (i + 1) * percpu_size;
	spin_lock_init(&lruvec->lru_lock);
	for_each_lru(i)
		INIT_LIST_HEAD(&lruvec->lists[i]);
	for (i = 0; i < SV_FOLIOS; i++) {
		atomic_set(&sv_folios[i]._refcount, 1);
		atomic_set(&sv_folios[i]._mapcount, -1);
		INIT_LIST_HEAD(&sv_folios[i].lru);
	}
	for (i = 0; i < SV_BHS; i++)
		atomic_set(&sv_bhs[i].b_count, 1);
}
