// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A program that may sleep; refuses, with an errno of its own, the one option that the agent gives to prctl(2). */
#include "trace.h"

SEC("lsm.s/task_prctl")
int BPF_PROG(target, int option)
{
	if (option != 23456)
		return -38; /* ENOSYS: the question is for others */
	trace_value(EVENT_TARGET, option);
	return -7;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
