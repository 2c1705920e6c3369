// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Tracers do not know whether the session's program runs at the entry or at the return. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, bpf_user_pt_regs_t *regs)
{
	trace_kind(EVENT_FENTRY);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, bpf_user_pt_regs_t *regs, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
