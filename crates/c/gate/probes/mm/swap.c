/* Selvedge: the file, and ways to what is static in it. */
#include "mm/swap.c"
#include <linux/version.h>

extern int sv_mlock_batch_nr(int cpu);
extern unsigned long sv_mlock_batch_entry(int cpu, int nth);

/* The batches, by the numbers that Selvedge gives them. */
static __no_kcsan struct folio_batch *sv_batch(int cpu, int batch)
{
	struct cpu_fbatches *all = &per_cpu(cpu_fbatches, cpu);

	switch (batch) {
	case 0:
		return &all->lru_add;
	case 2:
		return &all->lru_deactivate_file;
	case 3:
		return &all->lru_deactivate;
	case 4:
		return &all->lru_lazyfree;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	case 1:
		return &all->lru_move_tail;
	default:
		return &all->lru_activate;
#else
	case 1:
		return &per_cpu(lru_rotate, cpu).fbatch;
	default:
		return &all->activate;
#endif
	}
}

__no_kcsan int sv_batch_size(void)
{
	return PAGEVEC_SIZE;
}

/* For the check at the end: no steps. */
__no_kcsan int sv_batch_nr(int cpu, int batch)
{
	return batch == 6 ? sv_mlock_batch_nr(cpu) : sv_batch(cpu, batch)->nr;
}

__no_kcsan unsigned long sv_batch_entry(int cpu, int batch, int nth)
{
	if (batch == 6)
		return sv_mlock_batch_entry(cpu, nth);
	return (unsigned long)sv_batch(cpu, batch)->folios[nth];
}

__no_kcsan int sv_is_batched(struct folio *folio)
{
	int cpu, batch, nth;

	for_each_online_cpu(cpu)
		for (batch = 0; batch < 7; batch++)
			for (nth = 0; nth < sv_batch_nr(cpu, batch); nth++)
				if (sv_batch_entry(cpu, batch, nth) == (unsigned long)folio)
					return 1;
	return 0;
}

/* What rests in the batch of the CPU when its own call of lru_add_drain_all() returns. */
int sv_own_batch_is_empty(void)
{
	return raw_cpu_ptr(&cpu_fbatches)->lru_add.nr;
}
