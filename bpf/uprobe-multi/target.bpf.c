// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Runs at the entry of labs() in libc, whose argument the agent makes -42. */
#include "trace.h"

SEC("uprobe.multi/libc.so.6:labs")
int target(bpf_user_pt_regs_t *ctx)
{
	trace_kind(EVENT_TARGET);
	return 5;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
