// The file that the patches are of, as it was before them.
#include <linux/thread.h>

#include "loom.h"

#include "cloth.h"

/*
 * Puts a thread on the loom.
 */
static bool warp_thread(struct thread *thread)
{
	int tries = 3;

	while (tries--)
		pull(thread);
	return thread->warped;
}

/* Lets go. */
void drop_thread(struct thread *thread)
{
	put(thread);
	if (thread->next) {
		drop_thread(thread->next);
	}

	forget(thread);

	put_all(thread);
}

int weave(struct loom *loom,
	  unsigned long rows)
{
	return rows;
}
