/* Selvedge: the file, and ways to what is static in it. */
#include "fs/buffer.c"
#include <selvedge.h>

void sv_bh_lru_install(struct buffer_head *bh)
{
	bh_lru_install(bh);
}

/* What world.c says of all buffer heads. */
struct buffer_head *sv_lookup_bh_lru(void)
{
	return lookup_bh_lru(SV_BDEV, SV_BLOCK, SV_BLOCK_SIZE);
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
