// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* The simplest target: two kprobe programs that emit their event themselves, without a tail call. */
#include "event.h"

EVENTS_MAP(events);

SEC("kprobe/tcp_connect")
int k_tcp_connect(bpf_user_pt_regs_t *ctx)
{
	emit_connection(ctx, &events, (struct sock *)PT_REGS_PARM1(ctx), EVENT_KPROBE, 0, 0);
	return 0;
}

SEC("kprobe/inet_csk_complete_hashdance")
int k_icsk_complete_hashdance(bpf_user_pt_regs_t *ctx)
{
	emit_connection(ctx, &events, (struct sock *)PT_REGS_PARM1(ctx), EVENT_KPROBE, 0, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
