// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Three programs of one object: two that any kernel takes, and one that needs a ring buffer (Linux 5.8). */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 execs, forks;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} exits SEC(".maps");

SEC("tracepoint/sched/sched_process_exec")
int on_exec(void *ctx)
{
	__sync_fetch_and_add(&execs, 1);
	return 0;
}

SEC("raw_tracepoint/sched_process_fork")
int on_fork(void *ctx)
{
	__sync_fetch_and_add(&forks, 1);
	return 0;
}

SEC("tracepoint/sched/sched_process_exit")
int on_exit(void *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();

	bpf_ringbuf_output(&exits, &id, sizeof(id), 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
