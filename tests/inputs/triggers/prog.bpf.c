#include "kernel.h"

/* One program for each thing that a trigger makes happen; a case attaches those that it asks for. Each counts in a
 * variable of its own, and only for the case's process, where the kernel runs it in that process. */
const volatile __u32 my_pid = 0;
__u64 execs = 0, forks = 0, exits = 0, signals = 0, opens = 0, creates = 0, renames = 0, unlinks = 0, mkdirs = 0;
__u64 mounts = 0, umounts = 0, kills = 0, reads = 0, writes = 0;
__u64 udp4 = 0, udp6 = 0, udp_bytes = 0, tcp4 = 0, tcp6 = 0, echoes = 0, echoes6 = 0, dropped = 0;
__u32 last_signal = 0;

struct started {
	__u32 pid;
	char comm[16];
};
const struct started *unused_started = 0; /* so that the type is in the BTF */

struct {
	__uint(type, 27); /* BPF_MAP_TYPE_RINGBUF */
	__uint(max_entries, 4096);
} programs SEC(".maps");

static __always_inline int ours(void)
{
	return !my_pid || bpf_get_current_pid_tgid() >> 32 == my_pid;
}

#define COUNT(name, section, counter) \
	SEC(section) int name(void *ctx) \
	{ \
		if (ours()) \
			__sync_fetch_and_add(&counter, 1); \
		return 0; \
	}

COUNT(on_fork, "tp/sched/sched_process_fork", forks)
COUNT(on_openat, "tp/syscalls/sys_enter_openat", opens)
COUNT(on_kill, "tp/syscalls/sys_enter_kill", kills)
COUNT(on_read, "tp/syscalls/sys_enter_read", reads)
COUNT(on_write, "tp/syscalls/sys_enter_write", writes)
COUNT(on_create, "kprobe/security_inode_create", creates)
COUNT(on_rename, "kprobe/vfs_rename", renames)
COUNT(on_unlink, "kprobe/vfs_unlink", unlinks)
COUNT(on_mkdir, "kprobe/vfs_mkdir", mkdirs)
COUNT(on_mount, "kprobe/security_sb_mount", mounts)
COUNT(on_umount, "kprobe/security_sb_umount", umounts)
COUNT(on_udp4, "kprobe/udp_sendmsg", udp4)
COUNT(on_udp6, "kprobe/udpv6_sendmsg", udp6)
COUNT(on_tcp4, "kprobe/tcp_v4_connect", tcp4)
COUNT(on_tcp6, "kprobe/tcp_v6_connect", tcp6)

SEC("tp/sched/sched_process_exec")
int on_exec(void *ctx)
{
	struct started *one;

	__sync_fetch_and_add(&execs, 1);
	one = bpf_ringbuf_reserve(&programs, sizeof(*one), 0);
	if (!one)
		return 0;
	one->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(one->comm, sizeof(one->comm));
	bpf_ringbuf_submit(one, 0);
	return 0;
}

struct signal_args {
	__u64 common;
	__s32 number;
};

SEC("tp/signal/signal_generate")
int on_signal(struct signal_args *args)
{
	if (!ours())
		return 0;
	last_signal = args->number;
	__sync_fetch_and_add(&signals, 1);
	return 0;
}

/* What is received runs in no process's name. */
#define ANY(name, section, counter) \
	SEC(section) int name(void *ctx) \
	{ \
		__sync_fetch_and_add(&counter, 1); \
		return 0; \
	}

ANY(on_echo, "kprobe/icmp_rcv", echoes)
ANY(on_echo6, "kprobe/icmpv6_rcv", echoes6)

SEC("cgroup_skb/egress")
int drop(void *skb)
{
	__sync_fetch_and_add(&dropped, 1);
	return 0;
}

SEC("cgroup_skb/egress")
int pass(void *skb)
{
	__sync_fetch_and_add(&dropped, 1);
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
