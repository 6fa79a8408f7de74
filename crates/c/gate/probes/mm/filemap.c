/* Selvedge: the file, and ways to what is static in it. */
#include <linux/pagemap.h>
#include <linux/version.h>
#include <linux/wait.h>

extern struct address_space *sv_mapping_of(struct folio *folio);

/* Says which bit the task is about to queue itself for, so that a hang can be explained. No step. */
extern void selvedge_awaits(const void *flags, int bit, const void *wait_flags);
/* What is on the task's stack is called this in tables. No step. */
extern void selvedge_name(const void *at, const char *name);

static __no_kcsan void sv_queues(struct wait_queue_entry *entry, const char *function)
{
	const char *common = "folio_wait_bit_common";
	struct wait_page_queue *wait = container_of(entry, struct wait_page_queue, wait);

	/* Others queue an entry that is not part of a wait_page_queue. */
	while (*common && *function == *common)
		function++, common++;
	if (*function || *common)
		return;
	selvedge_awaits(&wait->folio->flags, wait->bit_nr, &entry->flags);
	selvedge_name(&wait->folio, "wait->folio");
	selvedge_name(&wait->bit_nr, "wait->bit_nr");
	selvedge_name(&entry->flags, "wait->flags");
	selvedge_name(&entry->private, "wait->private");
	selvedge_name(&entry->func, "wait->func");
	selvedge_name(&entry->entry.next, "wait->entry.next");
	selvedge_name(&entry->entry.prev, "wait->entry.prev");
}

#define __add_wait_queue_entry_tail(queue, entry)			\
	(sv_queues(entry, __func__), (__add_wait_queue_entry_tail)(queue, entry))

#include "mm/filemap.c"

/*
 * What filemap_map_pages() does for the first page, in a fault that holds no more than RCU: the folio that
 * it finds is locked, and would be mapped. 1: what it has found is not what is cached there.
 */
int sv_fault_around(struct folio *cached)
{
	struct address_space *mapping = sv_mapping_of(cached);
	XA_STATE(xas, &mapping->i_pages, 0);
	struct folio *folio;
	int is_other = 0;

	rcu_read_lock();
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	folio = next_uptodate_folio(&xas, mapping, 0);
#else
	folio = first_map_page(mapping, &xas, 0);
#endif
	if (folio) {
		is_other = folio != READ_ONCE(mapping->i_pages.xa_head);
		folio_unlock(folio);
		folio_put(folio);
	}
	rcu_read_unlock();
	return is_other;
}

/* What pagecache_init() does, and the sysctl. */
__no_kcsan void sv_filemap_init(int unfairness)
{
	int i;

	for (i = 0; i < PAGE_WAIT_TABLE_SIZE; i++)
		init_waitqueue_head(&folio_wait_table[i]);
	sysctl_page_lock_unfairness = unfairness;
}
