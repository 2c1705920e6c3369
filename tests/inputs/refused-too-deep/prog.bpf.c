#include "trace.h"

static __attribute__((noinline)) __u64 call_0(__u64 value)
{
	trace_value(EVENT_TARGET, value);
	return value + 1;
}

#define CALL(number, inner)                                                   \
	static __attribute__((noinline)) __u64 call_##number(__u64 value)     \
	{                                                                     \
		return call_##inner(value + 1) * 3;                           \
	}

CALL(1, 0)
CALL(2, 1)
CALL(3, 2)
CALL(4, 3)
CALL(5, 4)
CALL(6, 5)
CALL(7, 6)
CALL(8, 7)

SEC("raw_tp/task_rename")
int on_rename(void *ctx)
{
	volatile __u64 value = 1;

	return call_8(value) == 7;
}

char LICENSE[] SEC("license") = "GPL";
