// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What stands in a register is a bare number: the socket that it points to may not be read without a helper. */
#include "trace.h"

SEC("fentry/k_tcp_connect")
int BPF_PROG(socket, bpf_user_pt_regs_t *regs)
{
	struct sock *sk = (struct sock *)PT_REGS_PARM1(regs);

	trace_value(EVENT_FENTRY, sk->__sk_common.skc_family);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
