/*
 * A page of a driver is isolated for migration, and put back, while the driver gives it up.
 */
#include <linux/migrate.h>
#include <linux/pagemap.h>
#include <linux/version.h>
#include <selvedge.h>

static bool isolate(struct page *page, isolate_mode_t mode)
{
	return true;
}

static void putback(struct page *page)
{
}

static int migrate(struct page *dst, struct page *src, enum migrate_mode mode)
{
	return -EAGAIN;
}

static const struct movable_operations driver = {
	.isolate_page = isolate,
	.putback_page = putback,
	.migrate_page = migrate,
};

static struct page *page(void)
{
	return (struct page *)sv_folio(0);
}

void setup(void)
{
	set_bit(PG_locked, &page()->flags);
	__SetPageMovable(page(), &driver);
	clear_bit(PG_locked, &page()->flags);
}

void cpu0_compaction(void)
{
	LIST_HEAD(isolated);

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	if (!isolate_movable_page(page(), 0))
		return;
#else
	if (isolate_movable_page(page(), 0))
		return;
#endif
	list_add(&page()->lru, &isolated);
	putback_movable_pages(&isolated);
}

/* What the kernel asks of a driver: under the page lock. */
void cpu1_driver(void)
{
	lock_page(page());
	__ClearPageMovable(page());
	unlock_page(page());
	put_page(page());
}

/* The driver's reference was the last one, and nobody has the page isolated. */
int at_end(void)
{
	return page_ref_count(page()) != 0 || PageIsolated(page());
}
