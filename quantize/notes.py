"""What is said of an int8 file wherever it is spoken of."""

CALIBRATED_ON_SYNTHETIC = "calibrated on synthetic inputs: accuracy is not known until you give real samples"
