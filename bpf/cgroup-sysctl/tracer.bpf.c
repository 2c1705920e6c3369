// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What a tracer of a sysctl program sees is the kernel's own `struct bpf_sysctl_kern`. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct bpf_sysctl_kern *sysctl)
{
	trace_value(EVENT_FENTRY, sysctl->new_len);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct bpf_sysctl_kern *sysctl, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
