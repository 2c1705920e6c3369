// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Would replace the function of the fexit. */
#include "trace.h"

SEC("freplace/inner")
int replacement(int retval)
{
	trace_kind(EVENT_FREPLACE);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
