// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Programs of the network, of all kinds that are attached to devices, groups and sockets: each lets everything pass. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define PASS(section, name, value) \
	SEC(section) int name(void *ctx) { return value; }

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 8);
	__type(key, __u64);
	__type(value, __u64);
} peers SEC(".maps");

PASS("xdp", xdp_pass, XDP_PASS)
PASS("xdp.frags", xdp_frags, XDP_PASS)
PASS("tc", tc_pass, 0)
PASS("classifier", on_classifier, -1)
PASS("tc/ingress", tc_ingress, 0)
PASS("tc/egress", tc_egress, 0)
PASS("tcx/egress", tcx_egress, 0)
PASS("action", on_action, 0)
PASS("netkit/primary", netkit_primary, 0)
PASS("cgroup/skb", cgroup_skb, 1)
PASS("cgroup_skb/ingress", cgroup_ingress, 1)
PASS("cgroup_skb/egress", cgroup_egress, 1)
PASS("cgroup/sock", cgroup_sock, 1)
PASS("cgroup/sock_create", sock_create, 1)
PASS("cgroup/sock_release", sock_release, 1)
PASS("cgroup/post_bind4", post_bind4, 1)
PASS("cgroup/post_bind6", post_bind6, 1)
PASS("cgroup/bind4", bind4, 1)
PASS("cgroup/bind6", bind6, 1)
PASS("cgroup/connect4", connect4, 1)
PASS("cgroup/connect6", connect6, 1)
PASS("cgroup/connect_unix", connect_unix, 1)
PASS("cgroup/sendmsg4", sendmsg4, 1)
PASS("cgroup/sendmsg6", sendmsg6, 1)
PASS("cgroup/sendmsg_unix", sendmsg_unix, 1)
PASS("cgroup/recvmsg4", recvmsg4, 1)
PASS("cgroup/recvmsg6", recvmsg6, 1)
PASS("cgroup/recvmsg_unix", recvmsg_unix, 1)
PASS("cgroup/getpeername4", getpeername4, 1)
PASS("cgroup/getpeername6", getpeername6, 1)
PASS("cgroup/getpeername_unix", getpeername_unix, 1)
PASS("cgroup/getsockname4", getsockname4, 1)
PASS("cgroup/getsockname6", getsockname6, 1)
PASS("cgroup/getsockname_unix", getsockname_unix, 1)
PASS("cgroup/sysctl", cgroup_sysctl, 1)
PASS("cgroup/getsockopt", getsockopt, 1)
PASS("cgroup/setsockopt", setsockopt, 1)
PASS("cgroup/dev", cgroup_dev, 1)
PASS("sockops", sock_ops, 1)
PASS("sk_lookup", on_sk_lookup, 1)
PASS("sk_msg", on_sk_msg, 1)
PASS("sk_skb/stream_verdict", stream_verdict, 1)
PASS("sk_skb/stream_parser", stream_parser, 0)
PASS("sk_skb/verdict", verdict, 1)
PASS("sk_reuseport", reuseport, 1)
PASS("sk_reuseport/migrate", reuseport_migrate, 1)
PASS("socket", socket_filter, -1)
PASS("flow_dissector", on_flow_dissector, 129 /* BPF_FLOW_DISSECTOR_CONTINUE */)
PASS("netfilter", on_netfilter, 1)
PASS("lwt_in", on_lwt_in, 0)
PASS("lwt_out", on_lwt_out, 0)
PASS("lwt_xmit", on_lwt_xmit, 0)
PASS("lwt_seg6local", seg6local, 0)
