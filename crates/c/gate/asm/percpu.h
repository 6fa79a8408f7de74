/*
 * Selvedge: per-CPU data in plain C, by asm-generic's own definitions, so that the compiler instruments
 * it; the CPU is that of the task that the explorer runs, and the gs register has no part in it.
 */
#ifndef _ASM_X86_PERCPU_H
#define _ASM_X86_PERCPU_H
#ifdef __ASSEMBLY__
#include_next <asm/percpu.h>
#else
#include <linux/stringify.h>
#include <asm/asm.h>
extern int selvedge_cpu(void);
#define __percpu_seg_override
#define __percpu_prefix ""
#define PER_CPU_VAR(var) var
#define DECLARE_INIT_PER_CPU(var) extern typeof(var) init_per_cpu__##var
#define init_per_cpu_var(var) init_per_cpu__##var
extern unsigned long __per_cpu_offset[];
#define __per_cpu_offset __per_cpu_offset
#define per_cpu_offset(x) (__per_cpu_offset[x])
#define __my_cpu_offset per_cpu_offset(selvedge_cpu())
#include <asm-generic/percpu.h>
#define this_cpu_read_stable(v) (*raw_cpu_ptr(&(v)))
#define this_cpu_read_const(v) (*raw_cpu_ptr(&(v)))
#define x86_this_cpu_test_bit(nr, addr) ((*this_cpu_ptr((unsigned long *)(addr)) >> (nr)) & 1)
DECLARE_PER_CPU(unsigned long, this_cpu_off);
/* What the boot sets up before there are per-CPU areas is per-CPU data like all else. */
#define DEFINE_EARLY_PER_CPU(t, n, v) DEFINE_PER_CPU(t, n) = v
#define DEFINE_EARLY_PER_CPU_READ_MOSTLY(t, n, v) DEFINE_PER_CPU_READ_MOSTLY(t, n) = v
#define DECLARE_EARLY_PER_CPU(t, n) DECLARE_PER_CPU(t, n)
#define DECLARE_EARLY_PER_CPU_READ_MOSTLY(t, n) DECLARE_PER_CPU_READ_MOSTLY(t, n)
#define EXPORT_EARLY_PER_CPU_SYMBOL(n) EXPORT_PER_CPU_SYMBOL(n)
#define early_per_cpu(n, c) per_cpu(n, c)
#define early_per_cpu_ptr(n) NULL
#define early_per_cpu_map(n, i) per_cpu(n, i)
#endif
#endif
