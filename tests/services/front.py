"""What is found of a catalogue whose answers a test changes."""

from test_catalogue import listed


def found(catalogue, address, hosts=(), **options):
    """The days that are found at an address before a catalogue."""
    rows, _ = listed(catalogue, *catalogue.items, address=address, hosts=hosts, bucket=None, **options)
    return [row["sensing_time"][:10] for row in rows]
