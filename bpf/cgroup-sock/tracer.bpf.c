// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What tracers of these programs see is the kernel's own `struct sock`. */
#include "trace.h"

SEC("fentry/create")
int BPF_PROG(fentry_create, struct sock *sk)
{
	trace_value(EVENT_FENTRY, sk->sk_protocol);
	return 0;
}

SEC("fexit/create")
int BPF_PROG(fexit_create, struct sock *sk, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

SEC("fentry/bind")
int BPF_PROG(fentry_bind, struct sock *sk)
{
	trace_value(EVENT_FENTRY, sk->__sk_common.skc_num);
	return 0;
}

SEC("fexit/bind")
int BPF_PROG(fexit_bind, struct sock *sk, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

SEC("fentry/release")
int BPF_PROG(fentry_release, struct sock *sk)
{
	trace_value(EVENT_FENTRY, sk->__sk_common.skc_num);
	return 0;
}

SEC("fexit/release")
int BPF_PROG(fexit_release, struct sock *sk, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
