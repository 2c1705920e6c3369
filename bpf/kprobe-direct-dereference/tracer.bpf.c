// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Reads a register straight from the traced program's context, and once more through a helper; they must agree. */
#include "trace.h"

SEC("fentry/k_tcp_connect")
int BPF_PROG(fentry, bpf_user_pt_regs_t *regs)
{
	__u64 direct = PT_REGS_PARM1(regs), copied = PT_REGS_PARM1_CORE(regs);

	trace_value(EVENT_FENTRY, direct && direct == copied);
	trace_value(EVENT_FENTRY_2, BPF_CORE_READ((struct sock *)direct, __sk_common.skc_family));
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
