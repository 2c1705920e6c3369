// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Runs at the function's entry and, since it then returns 0, at its return, too: it returns 0 and 1 in turns.
 */
#include "trace.h"

int runs = 0;

SEC("kprobe.session/security_task_prctl")
int target(bpf_user_pt_regs_t *ctx)
{
	trace_kind(EVENT_TARGET);
	return runs++ & 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
