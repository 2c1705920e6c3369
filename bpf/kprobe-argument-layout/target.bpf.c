// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A program whose argument is the context type of kprobe programs: the kernel knows its one argument. */
#include "trace.h"

SEC("kprobe/tcp_connect")
int k_tcp_connect(bpf_user_pt_regs_t *ctx)
{
	trace_kind(EVENT_KPROBE);
	return 3;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
