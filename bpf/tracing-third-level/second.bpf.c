// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* The last level that is allowed from 6.8 on. */
#include "trace.h"

SEC("fentry/fentry")
int second(__u64 *ctx)
{
	trace_kind(EVENT_FENTRY_2);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
