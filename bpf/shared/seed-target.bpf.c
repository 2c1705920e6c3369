// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * The traced programs: two kprobes that do nothing but tail-call the handler, as in the seed.
 *
 * The context is `bpf_user_pt_regs_t`, the type that the kernel knows as a kprobe program's context on every
 * architecture. With `struct pt_regs` a tracer of the program is refused on architectures where that is
 * another structure (btf_is_prog_ctx_type(), kernel/bpf/btf.c).
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
int handle_new_connection(bpf_user_pt_regs_t *ctx)
{
	emit_connection(ctx, &events, (struct sock *)PT_REGS_PARM1(ctx), EVENT_KPROBE, 0, 0);
	return 0;
}

/* Takes the handler's place for a second look: its own kind, and another return value for fexit to see. */
SEC("kprobe/handle_again")
int handle_again(bpf_user_pt_regs_t *ctx)
{
	emit_connection(ctx, &events, (struct sock *)PT_REGS_PARM1(ctx), EVENT_CALLEE, 0, 0);
	return 5;
}

SEC("kprobe/tcp_connect")
int k_tcp_connect(bpf_user_pt_regs_t *ctx)
{
	bpf_tail_call_static(ctx, &progs, 0);
	return 0;
}

SEC("kprobe/inet_csk_complete_hashdance")
int k_icsk_complete_hashdance(bpf_user_pt_regs_t *ctx)
{
	bpf_tail_call_static(ctx, &progs, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
