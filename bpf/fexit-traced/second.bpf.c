// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * A tracing program's context is an array of numbers, so its tracer gets five of them, and then the result. The first is
 * the address of that array: behind one argument stands the return value that the traced fexit sees.
 */
#include "trace.h"

SEC("fentry/fexit")
int second_fentry(__u64 *ctx)
{
	__u64 seen = 0;

	bpf_probe_read_kernel(&seen, sizeof(seen), (__u64 *)ctx[0] + 1);
	trace_value(EVENT_FENTRY_2, (__u32)seen);
	return 0;
}

SEC("fexit/fexit")
int second_fexit(__u64 *ctx)
{
	trace_retval(EVENT_FEXIT_2, (int)ctx[5]);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
