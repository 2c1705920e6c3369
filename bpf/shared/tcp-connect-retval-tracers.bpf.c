// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* The fexit shows the value that came back from the traced program. */
#include "trace.h"

SEC("fentry/k_tcp_connect")
int BPF_PROG(fentry, bpf_user_pt_regs_t *regs)
{
	trace_kind(EVENT_FENTRY);
	return 0;
}

SEC("fexit/k_tcp_connect")
int BPF_PROG(fexit, bpf_user_pt_regs_t *regs, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
