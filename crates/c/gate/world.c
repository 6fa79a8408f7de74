/* Selvedge: what a kernel has besides the files under test, as its boot would have left it. Not instrumented. */
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/buffer_head.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>
#include <linux/swap.h>
#include <linux/pagemap.h>
#include <linux/migrate.h>
#include <selvedge.h>

#define SV_TASKS 24
#define SV_FOLIOS 8
/* Of the page allocator: so many for each task. */
#define SV_SPARES 2
#define SV_BHS 4

unsigned long __per_cpu_offset[NR_CPUS];
struct cpumask __cpu_possible_mask, __cpu_online_mask, __cpu_present_mask, __cpu_active_mask;
unsigned int nr_cpu_ids;
struct pglist_data contig_page_data;
/* Only ever handed to queue_work_on(), which does not look. */
struct workqueue_struct *mm_percpu_wq = (void *)8;
/* No page of ours. */
unsigned long __weak zero_pfn = 1;

/* The names of these say in tables what is theirs: task2->__state. */
struct task_struct sv_tasks[SV_TASKS];
struct folio sv_folios[SV_FOLIOS];
struct buffer_head sv_bhs[SV_BHS];

struct task_struct *sv_task(int i) { return i < SV_TASKS ? &sv_tasks[i] : NULL; }
struct folio *sv_folio(int i) { return i < SV_FOLIOS ? &sv_folios[i] : NULL; }
static struct folio sv_spares[SV_TASKS][SV_SPARES];
static struct address_space sv_mappings[SV_FOLIOS];
static const struct address_space_operations sv_aops = { .migrate_folio = migrate_folio };
static const struct address_space_operations sv_buffer_aops = { .migrate_folio = buffer_migrate_folio };
/* A file of one page. */
static struct inode sv_inode = { .i_size = PAGE_SIZE };

/* Where it was cached to begin with. */
struct address_space *sv_mapping_of(struct folio *folio) { return &sv_mappings[folio - sv_folios]; }

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

/* These are called for set-ups, too. */
void sv_set_locked(struct folio *folio) { folio->flags |= 1UL << PG_locked; }
void sv_set_writeback(struct folio *folio) { folio->flags |= 1UL << PG_writeback; }
void sv_isolate(struct folio *folio) { atomic_inc(&folio->_refcount); }

void sv_cache(struct folio *folio)
{
	struct address_space *mapping = &sv_mappings[folio - sv_folios];

	xa_init_flags(&mapping->i_pages, XA_FLAGS_LOCK_IRQ | XA_FLAGS_ACCOUNT);
	/* A single entry, of index 0, needs no node. */
	mapping->i_pages.xa_head = (void __force *)folio;
	mapping->a_ops = &sv_aops;
	mapping->nrpages = 1;
	folio->mapping = mapping;
	folio->index = 0;
}

/* Of a file that a task has mapped; it has been read. */
void sv_cache_of_file(struct folio *folio)
{
	sv_cache(folio);
	folio->mapping->host = &sv_inode;
	folio->flags |= 1UL << PG_uptodate;
}

/* In ZONE_MOVABLE, where nothing may be pinned for long. */
void sv_make_movable(struct folio *folio)
{
	set_page_zone(&folio->page, ZONE_MOVABLE);
}

void sv_attach(struct folio *folio, struct buffer_head *bh)
{
	folio->private = bh;
	folio->flags |= 1UL << PG_private;
	atomic_inc(&folio->_refcount);
	bh->b_this_page = bh;
	bh->b_page = &folio->page;
}

/* Cached, with a buffer that somebody has locked for its I/O. */
void sv_cache_with_busy_buffer(struct folio *folio, struct buffer_head *bh)
{
	sv_cache(folio);
	folio->mapping->a_ops = &sv_buffer_aops;
	sv_attach(folio, bh);
	bh->b_state |= 1UL << BH_Lock | 1UL << BH_Uptodate;
}

/* The page allocator's: a folio that nobody has. */
struct folio *sv_alloc(int task)
{
	struct folio *folio = NULL;
	int i;

	for (i = 0; i < SV_SPARES; i++)
		if (!folio_ref_count(&sv_spares[task][i]))
			folio = &sv_spares[task][i];
	if (!folio)
		return NULL;
	memset(folio, 0, sizeof(*folio));
	atomic_set(&folio->_refcount, 1);
	atomic_set(&folio->_mapcount, -1);
	INIT_LIST_HEAD(&folio->lru);
	return folio;
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
	for (i = 0; i < MAX_NR_ZONES; i++)
		contig_page_data.node_zones[i].zone_pgdat = &contig_page_data;
	for (i = 0; i < SV_BHS; i++) {
		atomic_set(&sv_bhs[i].b_count, 1);
		INIT_LIST_HEAD(&sv_bhs[i].b_assoc_buffers);
		sv_bhs[i].b_bdev = SV_BDEV;
		sv_bhs[i].b_blocknr = SV_BLOCK;
		sv_bhs[i].b_size = SV_BLOCK_SIZE;
		/* What wait_bit_init() does for all. */
		init_waitqueue_head(bit_waitqueue(&sv_bhs[i].b_state, BH_Lock));
	}
}
