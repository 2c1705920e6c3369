// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* One program in place of both functions. In a raw tracepoint program no function may be replaced but by a 0. */
#include "trace.h"

SEC("freplace/stub")
int replacement(int value)
{
	trace_kind(EVENT_FREPLACE);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
