// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Must not load: it would trace a tracer of a tracer. */
#include "trace.h"

SEC("fentry/second")
int third(__u64 *ctx)
{
	trace_kind(EVENT_BODY);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
