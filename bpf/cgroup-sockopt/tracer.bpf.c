// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What tracers of these programs see is the kernel's own `struct bpf_sockopt_kern`. */
#include "trace.h"

SEC("fentry/setsockopt")
int BPF_PROG(fentry_set, struct bpf_sockopt_kern *option)
{
	trace_value(EVENT_FENTRY, option->optname);
	return 0;
}

SEC("fexit/setsockopt")
int BPF_PROG(fexit_set, struct bpf_sockopt_kern *option, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

SEC("fentry/getsockopt")
int BPF_PROG(fentry_get, struct bpf_sockopt_kern *option)
{
	trace_value(EVENT_FENTRY, option->optname);
	return 0;
}

SEC("fexit/getsockopt")
int BPF_PROG(fexit_get, struct bpf_sockopt_kern *option, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
