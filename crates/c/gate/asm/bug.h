/* Selvedge: a BUG or a WARN is a finding, and no trap instruction. */
#include_next <asm/bug.h>
#if !defined(__ASSEMBLY__) && !defined(SELVEDGE_BUG)
#define SELVEDGE_BUG
extern void selvedge_bug(const char *file, int line) __attribute__((noreturn));
extern void selvedge_warn(const char *file, int line);
#undef BUG
#define BUG() selvedge_bug(__FILE__, __LINE__)
#undef __WARN_FLAGS
#define __WARN_FLAGS(...) selvedge_warn(__FILE__, __LINE__)
#endif
