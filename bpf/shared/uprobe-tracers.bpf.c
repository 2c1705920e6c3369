// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What a tracer of a uprobe program sees are the registers of user space. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, bpf_user_pt_regs_t *regs)
{
	trace_value(EVENT_FENTRY, PT_REGS_PARM1(regs));
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, bpf_user_pt_regs_t *regs, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
