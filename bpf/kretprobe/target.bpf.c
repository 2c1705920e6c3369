// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Runs at the return of a quiet function, which says -ENOSYS (-38) to an option that there is not. */
#include "trace.h"

SEC("kretprobe/security_task_prctl")
int target(bpf_user_pt_regs_t *ctx)
{
	trace_kind(EVENT_TARGET);
	return 5;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
