// SPDX-License-Identifier: MIT
/* Reports the first argument of each prctl(). trace.h comes with bpfmatrix; it declares the trace and its helpers. */
#include "trace.h"

/* What a program at a system call's tracepoint is given. */
struct system_call {
	__u64 common;
	__s64 number;
	__u64 arguments[6];
};

SEC("tp/syscalls/sys_enter_prctl")
int first(struct system_call *call)
{
	trace_value(EVENT_TARGET, call->arguments[0]);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
