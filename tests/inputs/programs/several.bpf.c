// Several programs for each place that a device, a namespace or a map of sockets has one of.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 2);
	__type(key, int);
	__type(value, int);
} sockets SEC(".maps");

SEC("xdp") int xdp_one(struct xdp_md *context) { return XDP_PASS; }
SEC("xdp") int xdp_two(struct xdp_md *context) { return XDP_PASS; }
SEC("xdp") int xdp_three(struct xdp_md *context) { return XDP_DROP; }
SEC("tc") int tc_one(struct __sk_buff *packet) { return 0; }
SEC("tc") int tc_two(struct __sk_buff *packet) { return 2; }
SEC("classifier") int tc_three(struct __sk_buff *packet) { return 0; }
SEC("action") int action_one(struct __sk_buff *packet) { return 0; }
SEC("flow_dissector") int dissector_one(struct __sk_buff *packet) { return 0; }
SEC("flow_dissector") int dissector_two(struct __sk_buff *packet) { return 0; }
SEC("lwt_in") int lwt_one(struct __sk_buff *packet) { return 0; }
SEC("lwt_in") int lwt_two(struct __sk_buff *packet) { return 0; }
SEC("sk_msg") int message_one(struct sk_msg_md *message) { return 1; }
SEC("sk_msg") int message_two(struct sk_msg_md *message) { return 1; }
SEC("sk_skb/stream_verdict") int verdict_one(struct __sk_buff *packet) { return 1; }
SEC("sk_skb/stream_verdict") int verdict_two(struct __sk_buff *packet) { return 1; }
