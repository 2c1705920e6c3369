// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* The context of the tracer of a callback: five numbers, then the return value. */
#include "trace.h"

SEC("fentry/callback")
int fentry(__u64 *ctx)
{
	trace_value(EVENT_FENTRY, (__u32)ctx[0]);
	return 0;
}

SEC("fexit/callback")
int fexit(__u64 *ctx)
{
	trace_retval(EVENT_FEXIT, (int)ctx[5]);
	trace_value(EVENT_FEXIT_2, bpf_get_func_arg_cnt(ctx));
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
