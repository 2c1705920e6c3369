// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Runs at the entry of atoi() in libc. It may sleep, so it may fetch the text from user space even if it is paged out. */
#include "trace.h"

SEC("uprobe.s/libc.so.6:atoi")
int target(bpf_user_pt_regs_t *ctx)
{
	char text[8] = {};

	bpf_copy_from_user(text, sizeof(text), (void *)PT_REGS_PARM1(ctx));
	trace_value(EVENT_TARGET, text[0] * 256 + text[6]);
	return 5;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
