"""How much rounding a float32 graph can explain, from its reduction lengths: see :mod:`verify.rounding.bound`."""
