// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Two fentries and three fexits on one program; each says which one it is. */
#include "trace.h"

SEC("fentry/k_tcp_connect")
int BPF_PROG(fentry_1, bpf_user_pt_regs_t *regs)
{
	trace_kind(EVENT_FENTRY);
	return 0;
}

SEC("fentry/k_tcp_connect")
int BPF_PROG(fentry_2, bpf_user_pt_regs_t *regs)
{
	trace_kind(EVENT_FENTRY_2);
	return 0;
}

SEC("fexit/k_tcp_connect")
int BPF_PROG(fexit_1, bpf_user_pt_regs_t *regs, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

SEC("fexit/k_tcp_connect")
int BPF_PROG(fexit_2, bpf_user_pt_regs_t *regs, int retval)
{
	trace_retval(EVENT_FEXIT_2, retval);
	return 0;
}

SEC("fexit/k_tcp_connect")
int BPF_PROG(fexit_3, bpf_user_pt_regs_t *regs, int retval)
{
	trace_retval(EVENT_FEXIT_3, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
