// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Runs at the entry of prctl(2), by whatever name this kernel's function for it has. */
#include "trace.h"

SEC("ksyscall/prctl")
int target(bpf_user_pt_regs_t *ctx)
{
	trace_kind(EVENT_TARGET);
	return 5;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
