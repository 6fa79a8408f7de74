/*
 * Selvedge: what tasks of scenarios do that migrate folios. Instrumented. What compaction does before and
 * after is left out: the folios are isolated, and are not put back.
 */
#include <linux/mm.h>
#include <linux/gfp.h>
#include <linux/migrate.h>
#include <linux/pagemap.h>
#include <linux/version.h>
#include <selvedge.h>
#include "mm/internal.h"

static void migrate(struct list_head *from, enum migrate_mode mode)
{
	struct migration_target_control mtc = { .nid = NUMA_NO_NODE, .gfp_mask = GFP_USER };

	migrate_pages(from, alloc_migration_target, NULL, (unsigned long)&mtc, mode, MR_COMPACTION, NULL);
}

/* One folio, as direct compaction does. */
void sv_migrate_light(struct folio *folio)
{
	LIST_HEAD(from);

	list_add(&folio->lru, &from);
	migrate(&from, MIGRATE_SYNC_LIGHT);
}

/* Two, in this order, as kcompactd or a task that writes to /proc/sys/vm/compact_memory does. */
void sv_migrate_two(struct folio *first, struct folio *second)
{
	LIST_HEAD(from);

	list_add_tail(&first->lru, &from);
	list_add_tail(&second->lru, &from);
	migrate(&from, MIGRATE_SYNC);
}

/* The end of a read. */
void sv_read_ends(struct folio *folio)
{
	folio_mark_uptodate(folio);
	folio_unlock(folio);
}

/* A page of a driver, which migration asks the driver about. */
static bool driver_isolates(struct page *page, isolate_mode_t mode)
{
	return true;
}

static void driver_puts_back(struct page *page)
{
}

static int driver_migrates(struct page *dst, struct page *src, enum migrate_mode mode)
{
	return -EAGAIN;
}

static const struct movable_operations sv_driver = {
	.isolate_page = driver_isolates,
	.putback_page = driver_puts_back,
	.migrate_page = driver_migrates,
};

/* As __SetPageMovable() and __ClearPageMovable() do. */
void sv_make_drivers(struct folio *folio)
{
	folio->mapping = (void *)((unsigned long)&sv_driver | PAGE_MAPPING_MOVABLE);
}

/* What the kernel asks of a driver: under the page lock. */
void sv_driver_gives_up(struct folio *folio)
{
	folio_lock(folio);
	folio->mapping = (void *)PAGE_MAPPING_MOVABLE;
	folio_unlock(folio);
	folio_put(folio);
}

void sv_compact_page_of_driver(struct folio *folio)
{
	LIST_HEAD(isolated);

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	if (!isolate_movable_page(&folio->page, 0))
		return;
#else
	if (isolate_movable_page(&folio->page, 0))
		return;
#endif
	list_add(&folio->lru, &isolated);
	putback_movable_pages(&isolated);
}

/* The driver's reference was the last one. */
int sv_at_end_driver_gives_up_a_page_that_is_isolated(void)
{
	return folio_ref_count(sv_folio(0)) != 0 || PageIsolated(&sv_folio(0)->page);
}

/* A page of a file is pinned for long. */
extern int sv_pin_longterm(struct folio *folio);
extern int sv_is_batched(struct folio *folio);
static struct folio *sv_pinned;
static int sv_pin_failed;

void sv_pin(struct folio *folio)
{
	sv_pinned = folio;
	WRITE_ONCE(sv_pin_failed, sv_pin_longterm(folio) == -ENOMEM);
}

static int pin_failed_for_a_batch(void)
{
	return sv_pin_failed && sv_is_batched(sv_pinned);
}

int sv_at_end_activated_then_pinned(void) { return pin_failed_for_a_batch(); }
int sv_at_end_mlocked_then_pinned(void) { return pin_failed_for_a_batch(); }
int sv_at_end_activated_while_pinned(void) { return pin_failed_for_a_batch(); }
