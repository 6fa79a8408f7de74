/* The workloads for SPIN, as its users write them: a lock is a guarded step, and so is an update. */
/* W is the workload, N its size; HAND: the loop around a compare-and-exchange is written out. */

byte over = 0;
#define TAKE(l) atomic { l == 0 -> l = 1 }
#define GIVE(l) l = 0

#if W == 1
byte pending = 0, refs = 0;
bool slot[N], held[N];

proctype task(byte i) {
    TAKE(held[i]);
    if
    :: pending == 0 -> slot[i] = 1; refs++
    :: else
    fi;
    GIVE(held[i]);
    over++
}

proctype last() {
    byte i = 0, seen;
    pending++;
    do
    :: i < N ->
        TAKE(held[i]);
        if
        :: slot[i] -> slot[i] = 0; refs--
        :: else
        fi;
        GIVE(held[i]);
        i++
    :: else -> break
    od;
    seen = refs;
    pending--
}
#endif

#if W == 2
bool held[N];

proctype task(byte i) {
    byte a = i, b = (i + 1) % N;
#ifdef ORDERED
    if
    :: a > b -> a = (i + 1) % N; b = i
    :: else
    fi;
#endif
    TAKE(held[a]);
    TAKE(held[b]);
    GIVE(held[b]);
    GIVE(held[a]);
    over++
}
#endif

#if W == 3
byte refs = 1;
bool freed = 0;

inline put() {
    d_step { refs--; is_last = (refs == 0) };
    if
    :: is_last -> freed = 1
    :: else
    fi
}

proctype task(byte i) {
    bool is_last, got = 0;
#ifdef HAND
    byte seen;
    bool again = 1;
    seen = refs;
    do
    :: again && seen != 0 ->
        d_step {
            if
            :: refs == seen -> refs++; got = 1; again = 0
            :: else -> seen = refs
            fi
        }
    :: else -> break
    od;
#else
    d_step {
        if
        :: refs != 0 -> refs++; got = 1
        :: else
        fi
    };
#endif
    if
    :: got -> put()
    :: else
    fi;
    over++
}

proctype last() {
    bool is_last;
    put()
}
#endif

#if W == 4
bool taken = 0;
byte counter = 0;

proctype task(byte i) {
    byte round = 0, value;
    bool won;
    do
    :: round < 2 ->
        d_step { won = (taken == 0); taken = 1 };
        if
        :: won -> value = counter; counter = value + 1; taken = 0
        :: else
        fi;
        round++
    :: else -> break
    od;
    over++
}
#endif

#if W == 5
bool locked = 1, waiters = 0, queue = 0, woken = 0, data = 0;

proctype task(byte i) {
    bool sleeps = 1;
    do
    :: sleeps ->
        TAKE(queue);
        waiters = 1;
        sleeps = locked;
        GIVE(queue);
        if
        :: sleeps -> woken
        :: else
        fi
    :: else -> break
    od;
    assert(data);
    over++
}

proctype last() {
    bool any;
    data = 1;
    d_step { locked = 0; any = waiters };
    if
    :: any -> TAKE(queue); woken = 1; GIVE(queue)
    :: else
    fi
}
#endif

init {
    byte i = 0;
    atomic {
        do
        :: i < N -> run task(i); i++
        :: else -> break
        od;
#if W != 2 && W != 4
        run last();
#endif
    }
    over == N
}
