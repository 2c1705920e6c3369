// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* For the static function, which is just as fit for it. */
#include "trace.h"

SEC("freplace/quiet")
int replacement(struct __sk_buff *skb)
{
	trace_kind(EVENT_FREPLACE);
	return 7;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
