// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* fentry and fexit on the kernel's own function tcp_connect(). */
#include "event.h"

EVENTS_MAP(events);

SEC("fentry/tcp_connect")
int BPF_PROG(fentry_tcp_connect, struct sock *sk)
{
	emit_connection(ctx, &events, sk, EVENT_FENTRY, 0, 0);
	return 0;
}

SEC("fexit/tcp_connect")
int BPF_PROG(fexit_tcp_connect, struct sock *sk, int retval)
{
	emit_connection(ctx, &events, sk, EVENT_FEXIT, EVENT_HAS_RETVAL, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
