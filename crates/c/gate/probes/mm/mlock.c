/* Selvedge: the file, and ways to what is static in it. */
#include "mm/mlock.c"
#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define sv_mlock_batch(cpu) per_cpu(mlock_fbatch, cpu).fbatch
#define sv_mlock_entry(batch, nth) (batch).folios[nth]
#else
#define sv_mlock_batch(cpu) per_cpu(mlock_pvec, cpu).vec
#define sv_mlock_entry(batch, nth) (batch).pages[nth]
/* What the functions were called before. */
void sv_mlock_drain_local(void)
{
	mlock_page_drain_local();
}

void sv_mlock_new_folio(struct folio *folio)
{
	mlock_new_page(&folio->page);
}

void sv_munlock_folio(struct folio *folio)
{
	munlock_page(&folio->page);
}
#endif

/* For the check at the end: no steps. */
__no_kcsan int sv_mlock_batch_nr(int cpu)
{
	return sv_mlock_batch(cpu).nr;
}

/* The two lowest bits say what is to be done with it. */
__no_kcsan unsigned long sv_mlock_batch_entry(int cpu, int nth)
{
	return (unsigned long)sv_mlock_entry(sv_mlock_batch(cpu), nth) & ~3UL;
}
