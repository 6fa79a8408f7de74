/* Selvedge: the file, and ways to what is static in it. */
#include "mm/swap.c"

/* For the check at the end: no steps. */
__no_kcsan int sv_lru_add_nr(int cpu)
{
	return per_cpu(cpu_fbatches, cpu).lru_add.nr;
}

static int sv_rests;

/* What rests in the batch of the CPU when its own call of lru_add_drain_all() returns. */
void sv_add_and_drain(struct folio *folio)
{
	folio_add_lru(folio);
	lru_add_drain_all();
	sv_rests = raw_cpu_ptr(&cpu_fbatches)->lru_add.nr;
}

__no_kcsan int sv_left_behind(void)
{
	return sv_rests;
}
