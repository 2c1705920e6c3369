// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What a tracer of a connect4 program sees is the kernel's own `struct bpf_sock_addr_kern`. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct bpf_sock_addr_kern *addr)
{
	trace_value(EVENT_FENTRY, addr->sk->__sk_common.skc_family);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct bpf_sock_addr_kern *addr, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
