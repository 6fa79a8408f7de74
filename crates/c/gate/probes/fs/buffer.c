/* Selvedge: the file, and ways to what is static in it. */
#include "fs/buffer.c"

void sv_bh_lru_install(struct buffer_head *bh)
{
	bh_lru_install(bh);
}

/* For the check at the end: no steps. */
__no_kcsan struct buffer_head *sv_bh_lru_slot(int cpu, int i)
{
	return per_cpu(bh_lrus, cpu).bhs[i];
}

__no_kcsan int sv_bh_lru_size(void)
{
	return BH_LRU_SIZE;
}
