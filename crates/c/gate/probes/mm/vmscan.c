/* Selvedge: the file, and ways to what is static in it. */
#include "mm/vmscan.c"
#include <linux/version.h>

/* Until 6.3 it returned an error. */
int sv_folio_isolate_lru(struct folio *folio)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	return folio_isolate_lru(folio);
#else
	return !folio_isolate_lru(folio);
#endif
}
