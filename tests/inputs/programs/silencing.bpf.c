/* Programs that refuse or kill whatever brings the agent's answers, while they are attached; and two that do not. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define DO(section, name, what) \
	SEC(section) int name(void *ctx) { what; }

DO("raw_tp/sys_enter", harmless, return 0)
DO("lsm/socket_sendmsg", denies_sending, return -1)
DO("lsm/socket_recvmsg", denies_receiving, return -1)
DO("lsm/file_permission", denies_files, return -13)
DO("lsm/bpf", denies_bpf, return -1)
DO("lsm/task_kill", denies_signals, return -1)
DO("lsm/mmap_file", denies_memory, return -13)
DO("fmod_ret/security_socket_sendmsg", modifies_sending, return -1)
DO("fmod_ret/security_file_permission", modifies_files, return -1)
DO("raw_tp/sys_enter", kills_callers, bpf_send_signal(9); return 0)
DO("raw_tp/sched_switch", kills_whoever_runs, bpf_send_signal(9); return 0)
DO("cgroup_skb/ingress", drops_what_comes, return 0)
DO("cgroup_skb/egress", drops_what_goes, return 0)
DO("xdp", drops_packets, return 1)
DO("raw_tp/sys_exit", harmless_as_well, return 0)

char LICENSE[] SEC("license") = "GPL";
