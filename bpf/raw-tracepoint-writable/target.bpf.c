// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Run at the end of a test run of the other program, whose error it is given to change: it makes it E2BIG (7). */
#include "trace.h"

SEC("raw_tp.w/bpf_test_finish")
int target(struct bpf_raw_tracepoint_args *ctx)
{
	int *error = (int *)ctx->args[0];

	trace_value(EVENT_TARGET, *error);
	*error = -7;
	return 5;
}

SEC("tc")
int subject(struct __sk_buff *ctx)
{
	trace_kind(EVENT_CALLEE);
	return 3;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
