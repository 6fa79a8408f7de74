/*
 * Selvedge: who accesses atomically, and which bit. The wrappers of atomics and bitops call these
 * before they act; a wrapper is named after its primitive, and the bit is its parameter `nr`.
 */
#include_next <linux/instrumented.h>
#if !defined(__ASSEMBLY__) && !defined(SELVEDGE_INSTRUMENTED)
#define SELVEDGE_INSTRUMENTED
extern void selvedge_instrument(const volatile void *at, size_t size, int type,
				const char *primitive, long bit);
/* Where there is no such parameter: no bit. */
enum { nr = -1 };
/* The types are those of <linux/kcsan-checks.h>: 1 writes, 2 is compound, 4 is atomic. */
#define instrument_read(v, size) selvedge_instrument(v, size, 0, __func__, nr)
#define instrument_write(v, size) selvedge_instrument(v, size, 1, __func__, nr)
#define instrument_read_write(v, size) selvedge_instrument(v, size, 3, __func__, -1)
#define instrument_atomic_read(v, size) selvedge_instrument(v, size, 4, __func__, nr)
#define instrument_atomic_write(v, size) selvedge_instrument(v, size, 5, __func__, nr)
#define instrument_atomic_read_write(v, size) selvedge_instrument(v, size, 7, __func__, nr)
#endif
