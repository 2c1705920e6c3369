// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A tracing program's context is an array of numbers, so its tracer gets five of them, and then the result. */
#include "trace.h"

SEC("fentry/fentry")
int second_fentry(__u64 *ctx)
{
	trace_kind(EVENT_FENTRY_2);
	return 0;
}

SEC("fexit/fentry")
int second_fexit(__u64 *ctx)
{
	trace_retval(EVENT_FEXIT_2, (int)ctx[5]);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
