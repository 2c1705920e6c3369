#include "kernel.h"

/* Probes in a program that the case brings, and what starts. */
__u64 entered = 0, returned = 0, in_library = 0;
__s64 sum = 0;

struct started {
	__u32 pid;
	char comm[16];
};
const struct started *unused_started = 0; /* so that the type is in the BTF */

struct {
	__uint(type, 27); /* BPF_MAP_TYPE_RINGBUF */
	__uint(max_entries, 4096);
} programs SEC(".maps");

SEC("uprobe")
int on_entry(void *ctx)
{
	__sync_fetch_and_add(&entered, 1);
	return 0;
}

SEC("uretprobe")
int on_return(struct pt_regs *ctx)
{
	__sync_fetch_and_add(&returned, 1);
	sum += (int)PT_REGS_RC(ctx);
	return 0;
}

SEC("uprobe")
int on_library(void *ctx)
{
	__sync_fetch_and_add(&in_library, 1);
	return 0;
}

SEC("tp/sched/sched_process_exec")
int on_exec(void *ctx)
{
	struct started *one = bpf_ringbuf_reserve(&programs, sizeof(*one), 0);

	if (!one)
		return 0;
	one->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(one->comm, sizeof(one->comm));
	bpf_ringbuf_submit(one, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
