// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Programs that get in the way of whoever tries them: they refuse, drop, or kill. */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define DO(section, name, what) \
	SEC(section) int name(void *ctx) { what; }

DO("lsm/file_open", deny_open, return -EPERM)
DO("lsm/file_permission", deny_files, return -EPERM)
DO("lsm/bpf", deny_bpf, return -EPERM)
DO("lsm/task_alloc", deny_fork, return -EPERM)
DO("lsm/socket_create", deny_sockets, return -EACCES)
DO("lsm/bprm_check_security", deny_exec, return -EPERM)
DO("fmod_ret/security_file_permission", modify, return -EPERM)
DO("xdp", drop_all, return XDP_DROP)
DO("tc", drop_tc, return 2 /* TC_ACT_SHOT */)
DO("netfilter", drop_netfilter, return 0)
DO("cgroup_skb/egress", drop_egress, return 0)
DO("cgroup/connect4", deny_connect, return 0)
DO("cgroup/sock_create", deny_create, return 0)
DO("cgroup/dev", deny_devices, return 0)
DO("cgroup/sysctl", deny_sysctl, return 0)
DO("kprobe/vfs_unlink", kill_unlink, bpf_send_signal(9); return 0)
DO("tp/syscalls/sys_enter_write", kill_write, bpf_send_signal(9); return 0)
DO("tp/raw_syscalls/sys_enter", kill_all, bpf_send_signal(9); return 0)
DO("tp/sched/sched_process_exit", kill_exit, bpf_send_signal(9); return 0)
DO("raw_tp/sched_switch", kill_everything, bpf_send_signal(9); return 0)
DO("kprobe/do_nanosleep", terminate, bpf_send_signal(15); return 0)
