/* Selvedge: what tasks of scenarios do that is not one kernel function. Instrumented. */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

/* For schedule(): is there a signal that ends this sleep? */
int sv_signal_pending_state(unsigned int state, struct task_struct *p)
{
	return signal_pending_state(state, p);
}

/* What a SIGKILL comes to once its target is chosen. */
void sv_send_sigkill(struct task_struct *p)
{
	sigaddset(&p->pending.signal, SIGKILL);
	set_tsk_thread_flag(p, TIF_SIGPENDING);
	wake_up_state(p, TASK_WAKEKILL | TASK_INTERRUPTIBLE);
}

/* What is inline in the kernel. */
int sv_folio_trylock(struct folio *folio)
{
	return folio_trylock(folio);
}

void sv_folio_lock(struct folio *folio)
{
	folio_lock(folio);
}

int sv_folio_lock_killable(struct folio *folio)
{
	return folio_lock_killable(folio);
}
