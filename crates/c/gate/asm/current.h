/* Selvedge: current is the task that the explorer runs, and no register knows it. */
#define get_current __x86_get_current
#include_next <asm/current.h>
#undef get_current
#undef current
#ifndef SELVEDGE_CURRENT
#define SELVEDGE_CURRENT
extern struct task_struct *selvedge_current(void);
#define get_current() selvedge_current()
#endif
#define current selvedge_current()
