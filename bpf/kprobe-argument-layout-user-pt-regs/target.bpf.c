// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A program whose argument is `struct user_pt_regs`: the context type of kprobe programs on arm64 and ppc64le. */
#include "trace.h"

struct user_pt_regs;

SEC("kprobe/tcp_connect")
int k_tcp_connect(struct user_pt_regs *ctx)
{
	trace_kind(EVENT_KPROBE);
	return 3;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
