// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* The seed word for word: the tracers take the traced program's `struct pt_regs *`. */
#include "event.h"

EVENTS_MAP(events);

SEC("fentry/k_tcp_connect")
int BPF_PROG(fentry_tcp_connect, struct pt_regs *regs)
{
	emit_connection(ctx, &events, (struct sock *)PT_REGS_PARM1(regs), EVENT_FENTRY, 0, 0);
	return 0;
}

SEC("fexit/k_tcp_connect")
int BPF_PROG(fexit_tcp_connect, struct pt_regs *regs, int retval)
{
	emit_connection(ctx, &events, (struct sock *)PT_REGS_PARM1(regs), EVENT_FEXIT, EVENT_HAS_RETVAL, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
