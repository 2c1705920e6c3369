// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Refuses, with an errno of its own, the question for a process's group. */
#include "trace.h"

SEC("lsm/task_getpgid")
int BPF_PROG(target, void *task, int ret)
{
	trace_kind(EVENT_TARGET);
	return -7;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
