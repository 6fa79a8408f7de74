/* Selvedge: interrupts are off or on for a CPU of the explorer's, not for the one that runs it. */
#include_next <asm/irqflags.h>
#if !defined(__ASSEMBLY__) && !defined(SELVEDGE_IRQFLAGS)
#define SELVEDGE_IRQFLAGS
extern unsigned long selvedge_irq_flags(void);
extern unsigned long selvedge_irq_save(void);
extern void selvedge_irq_restore(unsigned long flags);
extern void selvedge_irq_disable(void);
extern void selvedge_irq_enable(void);
#define arch_local_save_flags() selvedge_irq_flags()
#define arch_local_irq_save() selvedge_irq_save()
#define arch_local_irq_restore(flags) selvedge_irq_restore(flags)
#define arch_local_irq_disable() selvedge_irq_disable()
#define arch_local_irq_enable() selvedge_irq_enable()
#define arch_irqs_disabled_flags(flags) (!((flags) & X86_EFLAGS_IF))
#define arch_irqs_disabled() arch_irqs_disabled_flags(selvedge_irq_flags())
#endif
