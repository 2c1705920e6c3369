// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * The seed word for word: the context is `struct pt_regs`. That is the kernel's context type of a kprobe program
 * on x86_64 only; elsewhere it is another structure (compare ../kprobe-fentry-fexit), and a tracer of this
 * program is given five bare numbers instead of a context (btf_ctx_access(), kernel/bpf/btf.c).
 */
#include "event.h"

EVENTS_MAP(events);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 1);
} progs SEC(".maps");

SEC("kprobe/handle_new_connection")
int handle_new_connection(struct pt_regs *ctx)
{
	emit_connection(ctx, &events, (struct sock *)PT_REGS_PARM1(ctx), EVENT_KPROBE, 0, 0);
	return 0;
}

/* Takes the handler's place for a second look: its own kind, and another return value for fexit to see. */
SEC("kprobe/handle_again")
int handle_again(struct pt_regs *ctx)
{
	emit_connection(ctx, &events, (struct sock *)PT_REGS_PARM1(ctx), EVENT_CALLEE, 0, 0);
	return 5;
}

SEC("kprobe/tcp_connect")
int k_tcp_connect(struct pt_regs *ctx)
{
	bpf_tail_call_static(ctx, &progs, 0);
	return 0;
}

SEC("kprobe/inet_csk_complete_hashdance")
int k_icsk_complete_hashdance(struct pt_regs *ctx)
{
	bpf_tail_call_static(ctx, &progs, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
