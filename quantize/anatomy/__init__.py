"""What an int8 file is like inside: :class:`verify.report.anatomy.Anatomy`, measured on a few samples."""
