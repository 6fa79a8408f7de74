/* A folio is mlocked by one process while another munlocks it; both drain. */
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/version.h>
#include <selvedge.h>

extern void mlock_folio(struct folio *folio);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
extern void munlock_folio(struct folio *folio);
#else
extern void munlock_page(struct page *page);
#define munlock_folio(folio) munlock_page(&(folio)->page)
#endif

void setup(void)
{
	sv_list_folio(sv_folio(0));
	mlock_folio(sv_folio(0));
	lru_add_drain();
}

void cpu0_mlocker(void)
{
	mlock_folio(sv_folio(0));
	lru_add_drain();
}

void cpu1_munlocker(void)
{
	munlock_folio(sv_folio(0));
	lru_add_drain();
}

/* Mlocked once more than munlocked: unless it was counted too low, it stays where it is. */
int at_end(void)
{
	return !folio_test_mlocked(sv_folio(0)) && sv_folio_list(sv_folio(0)) == 2;
}
