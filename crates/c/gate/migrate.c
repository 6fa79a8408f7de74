/*
 * Selvedge: what tasks of scenarios do that migrate folios. Instrumented. What compaction does before and
 * after is left out: the folios are isolated, and are not put back.
 */
#include <linux/mm.h>
#include <linux/gfp.h>
#include <linux/migrate.h>
#include <linux/pagemap.h>
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
