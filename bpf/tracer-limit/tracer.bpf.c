// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* 43 times the same program, since each can be attached to its target only once. */
#include "trace.h"

#define FEXIT(number)                                              \
	SEC("fexit/target")                                        \
	int BPF_PROG(fexit_##number, struct sk_buff *skb, int retval) \
	{                                                          \
		trace_retval(EVENT_FEXIT, retval);                 \
		return 0;                                          \
	}

FEXIT(1) FEXIT(2) FEXIT(3) FEXIT(4) FEXIT(5) FEXIT(6) FEXIT(7)
FEXIT(8) FEXIT(9) FEXIT(10) FEXIT(11) FEXIT(12) FEXIT(13) FEXIT(14)
FEXIT(15) FEXIT(16) FEXIT(17) FEXIT(18) FEXIT(19) FEXIT(20) FEXIT(21)
FEXIT(22) FEXIT(23) FEXIT(24) FEXIT(25) FEXIT(26) FEXIT(27) FEXIT(28)
FEXIT(29) FEXIT(30) FEXIT(31) FEXIT(32) FEXIT(33) FEXIT(34) FEXIT(35)
FEXIT(36) FEXIT(37) FEXIT(38) FEXIT(39) FEXIT(40) FEXIT(41) FEXIT(42)
FEXIT(43)

char LICENSE[] SEC("license") = "Dual MIT/GPL";
