// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Would replace the function of the replacement. */
#include "trace.h"

SEC("freplace/inner")
int second(int value)
{
	trace_kind(EVENT_FREPLACE);
	return 9;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
