/* An image of the tests' own, small enough to know all that can happen in it. No kernel. */
typedef unsigned long u64;

extern void _raw_spin_lock(void *lock);
extern void _raw_spin_unlock(void *lock);
extern void selvedge_instrument(const volatile void *at, u64 size, int type, const char *name, long bit);
extern void nobody_models_this(int *at);
extern int data_that_is_nowhere;

struct task { u64 state, pi_lock; };

struct task sv_tasks[24];
int counter, other, lock, untouched = 7;
int *nowhere;

/* What models look for. */
struct task *sv_task(int i) { return &sv_tasks[i]; }
void *sv_task_state(struct task *t) { return &t->state; }
void *sv_task_pi_lock(struct task *t) { return &t->pi_lock; }
int sv_signal_pending_state(unsigned int state, struct task *t) { return 0; }
int sv_counter(void) { return counter; }
int sv_untouched(void) { return untouched; }

void add_plainly(void) { counter++; }

void add_locked(void)
{
	_raw_spin_lock(&lock);
	counter++;
	_raw_spin_unlock(&lock);
}

/* A store of what is there already. */
void store_the_same(void) { *(volatile int *)&other = 0; }

/* As arch_atomic_add_unless() is: announced as one update, a look, a compare-and-exchange. */
void add_by_exchange(void)
{
	int old, seen;

	selvedge_instrument(&counter, sizeof(counter), 7, "atomic_add_unless", -1);
	old = *(volatile int *)&counter;
	for (;;) {
		seen = old;
		asm volatile("lock cmpxchgl %2, %1" : "+a"(seen), "+m"(counter) : "r"(old + 1) : "memory");
		if (seen == old)
			break;
		old = seen;
	}
}

/* As try_cmpxchg() is: what is expected lies on the stack, and is passed by address. */
#define exchange(word, expected) \
({ \
	int *at = (expected); \
	selvedge_instrument(&(word), sizeof(word), 7, "try_cmpxchg", -1); \
	selvedge_instrument(at, sizeof(*at), 3, "try_cmpxchg", -1); \
	int was = *at, seen = was; \
	asm volatile("lock cmpxchgl %2, %1" : "+a"(seen), "+m"(word) : "r"(was + 1) : "memory"); \
	if (seen != was) \
		*at = seen; \
	seen == was; \
})

void add_by_try(void)
{
	int old = *(volatile int *)&counter;

	while (!exchange(counter, &old))
		;
}

/* Another task has the address of what is expected. */
int *shown;

void add_by_try_and_show(void)
{
	int old = 2;

	*(volatile int *)&counter = old;
	*(int *volatile *)&shown = &old;
	while (!exchange(counter, &old))
		;
	*(int *volatile *)&shown = 0;
}

void look_at_shown(void)
{
	int *at = *(int *volatile *)&shown;

	if (at)
		*(volatile int *)at = 7;
}

void look_twice(void)
{
	(void)*(volatile int *)&counter;
	(void)*(volatile int *)&counter;
}

void store_two(void) { *(volatile int *)&counter = 2; }

void forget_to_unlock(void) { _raw_spin_lock(&lock); }

void follow_null(void) { *nowhere = 1; }

void call_null(void) { ((void (*)(void))nowhere)(); }

void call_what_nobody_models(void) { nobody_models_this(&counter); }

void read_what_is_nowhere(void) { counter = data_that_is_nowhere; }

void write_to_code(void) { *(volatile char *)add_plainly = 1; }

#ifdef UNGATED
__attribute__((no_sanitize("thread"))) void not_instrumented(int *at) { *at = 1; }
void locked_without_a_gate(int *at) { asm volatile("lock incl %0" : "+m"(*at)); }

/* Not what was announced as expected is read between announcement and instruction. */
void read_of_another(int *at, int *expected, int *other)
{
	int old = *expected, was;

	selvedge_instrument(at, sizeof(*at), 7, "try_cmpxchg", -1);
	selvedge_instrument(&old, sizeof(old), 3, "try_cmpxchg", -1);
	was = *other;
	asm volatile("lock cmpxchgl %2, %1" : "+a"(was), "+m"(*at) : "r"(old) : "memory");
}

/* What is expected does not lie on the stack. */
void read_of_no_stack(int *at, int *expected)
{
	selvedge_instrument(at, sizeof(*at), 7, "try_cmpxchg", -1);
	selvedge_instrument(expected, sizeof(*expected), 3, "try_cmpxchg", -1);
	int was = *expected;
	asm volatile("lock cmpxchgl %2, %1" : "+a"(was), "+m"(*at) : "r"(was + 1) : "memory");
}

void of_a_kernel(void) { asm volatile("cli"); }
#endif
