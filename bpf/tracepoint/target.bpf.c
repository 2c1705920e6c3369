// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Runs at the tracepoint of a quiet system call; its first argument is the option. */
#include "trace.h"

SEC("tp/syscalls/sys_enter_prctl")
int target(void *ctx)
{
	trace_kind(EVENT_TARGET);
	return 5;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
