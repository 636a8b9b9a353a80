"""``parity.lock.json``: the drift that was accepted, against which later runs are judged."""
