// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Every argument in its place, and the return value behind them, whole. */
#include "trace.h"

SEC("fentry/subprog")
int BPF_PROG(fentry, __u64 a, __u8 b, __u16 c, __u32 d)
{
	trace_value(EVENT_FENTRY, a);
	trace_value(EVENT_FENTRY, b);
	trace_value(EVENT_FENTRY, c);
	trace_value(EVENT_FENTRY, d);
	return 0;
}

SEC("fexit/subprog")
int BPF_PROG(fexit, __u64 a, __u8 b, __u16 c, __u32 d, __s64 retval)
{
	trace_retval(EVENT_FEXIT, retval);
	trace_value(EVENT_FEXIT_2, d);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
