// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* By their places: five numbers, then the return value. */
#include "trace.h"

SEC("fentry/subprog")
int fentry(__u64 *ctx)
{
	trace_value(EVENT_FENTRY, ctx[0]);
	return 0;
}

SEC("fexit/subprog")
int fexit(__u64 *ctx)
{
	trace_retval(EVENT_FEXIT, (int)ctx[5]);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
