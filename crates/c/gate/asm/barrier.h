/*
 * Selvedge: acquire and release say so. KCSAN knows full, read and write barriers (since 5.17) but no
 * acquire; the next marked access after one of these calls carries the order.
 */
#include_next <asm/barrier.h>
#if !defined(__ASSEMBLY__) && !defined(SELVEDGE_BARRIER)
#define SELVEDGE_BARRIER
extern void selvedge_acquire(void);
extern void selvedge_release(void);
#undef __smp_load_acquire
#define __smp_load_acquire(p)						\
({									\
	selvedge_acquire();						\
	typeof(*p) selvedge_seen = READ_ONCE(*p);			\
	barrier();							\
	selvedge_seen;							\
})
#undef smp_load_acquire
#define smp_load_acquire(p) __smp_load_acquire(p)
#undef __smp_store_release
#define __smp_store_release(p, v)					\
do {									\
	barrier();							\
	selvedge_release();						\
	WRITE_ONCE(*p, v);						\
} while (0)
#undef smp_store_release
#define smp_store_release(p, v) __smp_store_release(p, v)
#endif
