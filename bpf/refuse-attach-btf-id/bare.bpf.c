// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A tracer without maps, to be loaded by bpf(2) itself. */
#include "kernel.h"

SEC("fentry/target")
int tracer(__u64 *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
