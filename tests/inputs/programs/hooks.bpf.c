// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Programs at hooks of many kinds: each only has to run. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

/* What an architecture puts before the names of its system calls. */
#if defined(__TARGET_ARCH_x86)
#define SYSTEM_CALL "__x64_sys_"
#elif defined(__TARGET_ARCH_arm64)
#define SYSTEM_CALL "__arm64_sys_"
#elif defined(__TARGET_ARCH_s390)
#define SYSTEM_CALL "__s390x_sys_"
#elif defined(__TARGET_ARCH_riscv)
#define SYSTEM_CALL "__riscv_sys_"
#else
#define SYSTEM_CALL "sys_"
#endif

SEC("fentry/vfs_open")
int fentry_open(void *ctx)
{
	return 0;
}

SEC("fexit/" SYSTEM_CALL "getpgid")
int fexit_call(void *ctx)
{
	return 0;
}

SEC("fentry/bpf_fentry_test1")
int fentry_never(void *ctx)
{
	return 0;
}

SEC("fentry.s/" SYSTEM_CALL "getpgid")
int fentry_sleepable(void *ctx)
{
	return 0;
}

SEC("kprobe/vfs_unlink")
int kprobe_unlink(void *ctx)
{
	return 0;
}

SEC("kretprobe/tcp_v4_connect")
int kretprobe_connect(void *ctx)
{
	return 0;
}

SEC("kprobe/do_nanosleep")
int kprobe_sleep(void *ctx)
{
	return 0;
}

SEC("ksyscall/rename")
int ksyscall_rename(void *ctx)
{
	return 0;
}

SEC("tracepoint/sched/sched_process_exec")
int tp_exec(void *ctx)
{
	return 0;
}

SEC("tp/syscalls/sys_enter_openat")
int tp_openat(void *ctx)
{
	return 0;
}

SEC("raw_tp/sched_switch")
int raw_switch(void *ctx)
{
	return 0;
}

SEC("raw_tracepoint/signal_generate")
int raw_signal(void *ctx)
{
	return 0;
}

SEC("tp_btf/task_newtask")
int btf_newtask(void *ctx)
{
	return 0;
}

SEC("lsm/bprm_check_security")
int lsm_exec(void *ctx)
{
	return 0;
}

SEC("lsm/sb_mount")
int lsm_mount(void *ctx)
{
	return 0;
}

SEC("lsm.s/file_open")
int lsm_sleepable(void *ctx)
{
	return 0;
}

SEC("uprobe//usr/lib/libc.so.6:labs")
int uprobe_absent(void *ctx)
{
	return 0;
}

SEC("uprobe/libc.so.6:atoi")
int uprobe_atoi(void *ctx)
{
	return 0;
}

SEC("perf_event")
int perf(void *ctx)
{
	return 0;
}

SEC("syscall")
int called(void *ctx)
{
	return 0;
}

SEC("iter/task")
int iter_task(void *ctx)
{
	return 0;
}

SEC("iter/bpf_map")
int iter_map(void *ctx)
{
	return 0;
}

SEC("tracepoint/power/suspend_resume")
int tp_never(void *ctx)
{
	return 0;
}
