/*
 * Selvedge: a BUG or a WARN is a finding, and no trap instruction. Which it is is known by who calls: a
 * line number would be code, and differ wherever a patch moves lines.
 */
#include_next <asm/bug.h>
#if !defined(__ASSEMBLY__) && !defined(SELVEDGE_BUG)
#define SELVEDGE_BUG
extern void selvedge_bug(void) __attribute__((noreturn));
extern void selvedge_warn(void);
#undef BUG
#define BUG() selvedge_bug()
#undef __WARN_FLAGS
#define __WARN_FLAGS(...) selvedge_warn()
#endif
