"""A packet program counts what it is given, and drops what is too small.

Its lengths are tried in a loop, which no YAML can say.
"""

from harness.guest_api import Guest

LENGTHS = (60, 100, 100, 1000)


def scenario(guest: Guest) -> None:
    target = guest.open("target.bpf.c", rodata={"smallest": 64})
    target.load()
    packets = guest.ring_buffer(target, "packets", record="struct packet")
    answers = [guest.trigger.run(target, "target", data=length) for length in LENGTHS]

    guest.expect_equal(answers, [2, 0, 0, 0], "what is too small is dropped")
    found = packets.read(count=3)
    guest.expect_equal([each["length"] for each in found], [100, 100, 1000], "each of the others is reported")
    guest.expect_equal(dict(target.map("by_length").items()), {100: 2, 1000: 1}, "they are counted by length")
    guest.expect_equal(target.globals["seen"], 3, "and altogether")
