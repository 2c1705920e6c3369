// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Answers for the kernel's function: it does not run, since this does not return 0. */
#include "trace.h"

SEC("fmod_ret/security_task_getpgid")
int BPF_PROG(target, void *task, int ret)
{
	trace_value(EVENT_TARGET, (__u64)task == bpf_get_current_task());
	return 7;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
