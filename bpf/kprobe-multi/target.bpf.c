// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A kprobe.multi program on a quiet function; its first argument is the option. */
#include "trace.h"

SEC("kprobe.multi/security_task_prctl")
int target(bpf_user_pt_regs_t *ctx)
{
	trace_kind(EVENT_TARGET);
	return 5;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
