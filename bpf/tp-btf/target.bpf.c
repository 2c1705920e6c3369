// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Runs when the agent changes its name. */
#include "trace.h"

SEC("tp_btf/task_rename")
int target(__u64 *ctx)
{
	trace_kind(EVENT_TARGET);
	return 5;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
