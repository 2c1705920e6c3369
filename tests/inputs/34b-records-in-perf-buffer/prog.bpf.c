#include "kernel.h"

struct event {
	__u32 pid;
	char comm[16];
};

struct {
	__uint(type, 4); /* BPF_MAP_TYPE_PERF_EVENT_ARRAY */
	__type(key, __u32);
	__type(value, __u32);
} events SEC(".maps");

struct event unused_event = {}; /* so that the type is in the BTF */

/* It fires for everybody, and several times for each. */
SEC("raw_tp/sys_enter")
int on_syscall(void *ctx)
{
	struct event e = {};

	e.pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(e.comm, sizeof(e.comm));
	bpf_perf_event_output(ctx, &events, (__u32)-1, &e, sizeof(e));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
