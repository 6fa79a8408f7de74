/* Selvedge: the preemption count is kept by the explorer, which also decides who preempts whom. */
#ifndef __ASM_PREEMPT_H
#define __ASM_PREEMPT_H
#include <linux/compiler.h>
extern int selvedge_preempt_count(void);
extern void selvedge_preempt_count_add(int val);
extern void preempt_schedule(void);
extern void preempt_schedule_notrace(void);
#define PREEMPT_ENABLED 0
#define preempt_count() selvedge_preempt_count()
#define preempt_count_set(pc) do { } while (0)
#define init_task_preempt_count(p) do { } while (0)
#define init_idle_preempt_count(p, cpu) do { } while (0)
#define set_preempt_need_resched() do { } while (0)
#define clear_preempt_need_resched() do { } while (0)
#define test_preempt_need_resched() false
#define __preempt_count_add(val) selvedge_preempt_count_add(val)
#define __preempt_count_sub(val) selvedge_preempt_count_add(-(val))
#define __preempt_count_dec_and_test() (selvedge_preempt_count_add(-1), false)
#define should_resched(preempt_offset) false
#define __preempt_schedule() do { } while (0)
#define __preempt_schedule_notrace() do { } while (0)
#endif
