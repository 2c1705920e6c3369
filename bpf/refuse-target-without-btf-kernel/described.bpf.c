// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* The same target with BTF: there the kernel finds that the type is none of its functions. */
#include "trace.h"

SEC("tc")
int target(struct __sk_buff *skb)
{
	return 3;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
