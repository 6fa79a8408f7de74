/* Selvedge: the file, and ways to what is static in it. */
#include "mm/swap.c"

/* For the check at the end: no steps. */
__no_kcsan int sv_lru_add_nr(int cpu)
{
	return per_cpu(cpu_fbatches, cpu).lru_add.nr;
}
