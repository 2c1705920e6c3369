// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A program whose argument is `struct pt_regs`: on x86_64 the context type of kprobe programs, elsewhere a pointer. */
#include "trace.h"

SEC("kprobe/tcp_connect")
int k_tcp_connect(struct pt_regs *ctx)
{
	trace_kind(EVENT_KPROBE);
	return 3;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
