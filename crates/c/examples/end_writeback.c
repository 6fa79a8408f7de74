/* Writeback of a folio ends while a task waits for that. */
#include <linux/pagemap.h>
#include <selvedge.h>

void setup(void)
{
	set_bit(PG_writeback, &sv_folio(0)->flags);
}

void cpu0_io(void)
{
	folio_end_writeback(sv_folio(0));
}

void cpu1_waiter(void)
{
	folio_wait_writeback(sv_folio(0));
}

int at_end(void)
{
	return folio_test_writeback(sv_folio(0));
}
