// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * fentry and fexit on the kprobe program `k_tcp_connect`. Their argument is that program's own context; it
 * cannot be called `ctx`, since BPF_PROG() declares one. The events map is the target's.
 */
#include "event.h"

EVENTS_MAP(events);

SEC("fentry/k_tcp_connect")
int BPF_PROG(fentry_tcp_connect, bpf_user_pt_regs_t *regs)
{
	emit_connection(ctx, &events, (struct sock *)PT_REGS_PARM1(regs), EVENT_FENTRY, 0, 0);
	return 0;
}

SEC("fexit/k_tcp_connect")
int BPF_PROG(fexit_tcp_connect, bpf_user_pt_regs_t *regs, int retval)
{
	emit_connection(ctx, &events, (struct sock *)PT_REGS_PARM1(regs), EVENT_FEXIT, EVENT_HAS_RETVAL, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
