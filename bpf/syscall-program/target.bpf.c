// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Run by BPF_PROG_TEST_RUN with a context of the agent's. */
#include "trace.h"

SEC("syscall")
int target(void *ctx)
{
	trace_kind(EVENT_TARGET);
	return 77;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
