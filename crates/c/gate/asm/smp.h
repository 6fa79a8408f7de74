/* Selvedge: the CPU is that of the task that the explorer runs. */
#include_next <asm/smp.h>
#ifndef __ASSEMBLY__
extern int selvedge_cpu(void);
#undef raw_smp_processor_id
#define raw_smp_processor_id() selvedge_cpu()
#undef __smp_processor_id
#define __smp_processor_id() selvedge_cpu()
#endif
