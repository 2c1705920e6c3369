// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A tracer that needs no map, since it is loaded without libbpf. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
